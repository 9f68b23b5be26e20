/**
 * What a program that a test starts takes over from the environment of the tests: where programs are, and where Node.js keeps what it has
 * compiled (`global-setup.ts`). Nothing else of the machine's own: a variable set there must not change a test.
 */
export const inherited = {
  PATH: process.env["PATH"],
  NODE_COMPILE_CACHE: process.env["NODE_COMPILE_CACHE"],
};
