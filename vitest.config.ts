import { join } from "node:path";
import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["**/*.test.ts"],
    exclude: ["node_modules/**", "homelab/**", "build/**"],
    globalSetup: "test/temporary-folder.ts",
    // For the processes that tests start: they start in half the time.
    env: { NODE_COMPILE_CACHE: join(import.meta.dirname, "node_modules/.cache/compiled") },
    // Most tests wait for processes that they have started.
    maxWorkers: 3,
    // For what hangs; a loaded machine may take its time.
    testTimeout: 120_000,
    hookTimeout: 120_000,
  },
});
