/**
 * A Yjs document as JSON. An update does not say of what type its root types are: the program that opens a document does. What
 * they hold tells it, sometimes for sure, sometimes as a guess.
 */
import * as Y from "yjs";

export type RootKind = "map" | "array" | "text" | "xml" | "unknown";

export interface RootType {
  readonly kind: RootKind;
  /** Another type could hold the same. */
  readonly isGuess: boolean;
  readonly value: unknown;
  /** Text with its formats, where it has any. */
  readonly delta?: unknown;
}

export function rootTypesOf(document: Y.Doc): Record<string, RootType> {
  // A null prototype: a root type may be called __proto__.
  const roots = Object.create(null) as Record<string, RootType>;
  for (const [name, type] of document.share) roots[name] = rootType({ document, name, type });
  return roots;
}

/** As Yjs types the roots of a document: before anybody has said what they are. */
type Root = NonNullable<ReturnType<Y.Doc["share"]["get"]>>;

type Guess = Pick<RootType, "kind" | "isGuess">;

function rootType({
  document,
  name,
  type,
}: {
  readonly document: Y.Doc;
  readonly name: string;
  readonly type: Root;
}): RootType {
  const guess = kindOf(type);
  switch (guess.kind) {
    case "map":
      return { ...guess, value: document.getMap(name).toJSON() };
    case "array":
      return { ...guess, value: document.getArray(name).toJSON() };
    case "xml":
      return { ...guess, value: document.getXmlFragment(name).toJSON() };
    case "text":
      return { ...guess, ...textValue(document.getText(name)) };
    case "unknown":
    default:
      return { ...guess, value: null };
  }
}

function textValue(text: Y.Text): Pick<RootType, "value" | "delta"> {
  const delta = text.toDelta() as { attributes?: unknown; insert: unknown }[];
  const isPlain = delta.every(({ attributes, insert }) => !attributes && typeof insert === "string");
  return { value: text.toJSON(), ...(!isPlain && { delta }) };
}

function kindOf(type: Root): Guess {
  // oxlint-disable-next-line no-underscore-dangle -- Yjs 13.6 has no public way to an untyped root's content
  const { _start: first, _map: keys } = type;
  let firstGuess: Guess | null = null;
  for (let item = first; item !== null; item = item.right) {
    if (item.deleted) continue;
    const guess = kindByContent(item.content);
    if (!guess.isGuess) return guess;
    firstGuess ??= guess;
  }
  if (firstGuess) return firstGuess;
  // Keys without a sequence: a map, unless it is the attributes of an empty element.
  if (keys.size > 0) return { kind: "map", isGuess: false };
  // Everything in it is deleted.
  return { kind: "unknown", isGuess: true };
}

function kindByContent(content: Y.Item["content"]): Guess {
  // Only a text has characters and formats, only an array has plain values.
  if (content instanceof Y.ContentString || content instanceof Y.ContentFormat) {
    return { kind: "text", isGuess: false };
  }
  // An embed may be an array's too; a text with nothing but embeds is the likelier one.
  if (content instanceof Y.ContentEmbed) return { kind: "text", isGuess: true };
  if (content instanceof Y.ContentType && isXml(content.type)) return { kind: "xml", isGuess: true };
  return { kind: "array", isGuess: content instanceof Y.ContentType };
}

function isXml(type: unknown): boolean {
  return type instanceof Y.XmlFragment || type instanceof Y.XmlText || type instanceof Y.XmlHook;
}

/** Bytes as base64, whole numbers that JSON has no room for as text, and of a subdocument its guid, because its content is elsewhere. */
export function jsonText(value: unknown): string {
  return JSON.stringify(value, replaced, 2);
}

function replaced(this: unknown, key: string, value: unknown): unknown {
  // Here `value` is already what a subdocument's own toJSON makes of it: nothing.
  const original = (this as Readonly<Record<string, unknown>>)[key];
  if (original instanceof Y.Doc) return { subdocument: original.guid };
  if (value instanceof Uint8Array) return Buffer.from(value).toString("base64");
  return typeof value === "bigint" ? value.toString() : value;
}
