/** Loaded into a server process by a test: a bug that throws where nobody catches it, at the tester's command. */
process.on("SIGUSR2", () => {
  setImmediate(() => {
    throw new Error("a bug");
  });
});
