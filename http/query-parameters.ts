import { BadRequest } from "./router.ts";

/**
 * The query parameters of a call. Strict, because what is left out has a meaning in the room API: a name that is misspelled, a variable that is
 * empty or a second `user` whose first is lost would put out everybody, or somebody else.
 * @throws BadRequest for a parameter that is not among `names`, is empty or comes twice.
 */
export function queryParameters<Name extends string>(
  query: URLSearchParams,
  names: readonly Name[],
): Partial<Record<Name, string>> {
  const parameters: Partial<Record<Name, string>> = {};
  for (const [key, value] of query) {
    const name = names.find((candidate) => candidate === key);
    if (name === undefined) throw new BadRequest(`there is no parameter ${key} here`);
    if (value === "") throw new BadRequest(`${name} is empty`);
    if (parameters[name] !== undefined) throw new BadRequest(`${name} is given twice`);
    parameters[name] = value;
  }
  return parameters;
}
