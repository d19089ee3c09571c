import { join } from "node:path";
import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["**/*.test.ts"],
    exclude: ["node_modules/**", "homelab/**", "build/**"],
    globalSetup: "test/temporary-folder.ts",
    env: {
      // For the processes that tests start: they start in half the time.
      NODE_COMPILE_CACHE: join(import.meta.dirname, "node_modules/.cache/compiled"),
      // What a developer's shell names is not told of the tests' runs.
      NATS_URL: "",
    },
    // Most tests wait for processes that they have started.
    maxWorkers: 3,
    // For what hangs; a loaded machine may take its time.
    testTimeout: 120_000,
    hookTimeout: 120_000,
  },
});
