import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["test/**/*.test.ts"],
    globalSetup: "test/support/global-setup.ts",
    // Each file in a process of its own: what one leaks cannot hide in another.
    pool: "forks",
    // One more than CI has cores: most of a test is waiting.
    maxWorkers: 3,
    // Hocuspocus tells the console of every connection that it closes; shown only where a test fails.
    silent: "passed-only",
    testTimeout: 30_000,
    hookTimeout: 60_000,
  },
});
