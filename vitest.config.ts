import { join } from "node:path";
import { defineConfig } from "vitest/config";
import { LongestFirst } from "./test/longest-first.ts";

const exclude = ["node_modules/**", "homelab/**", "build/**"];

/** Their files take turns in processes that load once what they all import, which is much of what each file costs. */
const together = [
  "{events,shared}/**/*.test.ts",
  "functions/{factorio,mapshot,notify,ollama,open-webui,sdtd}/**/*.test.ts",
  "deploy/{cluster,manifests}/**/*.test.ts",
];

const workers = {
  // Most tests wait for processes that they have started.
  maxWorkers: 3,
  sequence: { groupOrder: 0 },
};

export default defineConfig({
  test: {
    sequence: { sequencer: LongestFirst },
    projects: [
      {
        extends: true,
        test: {
          name: "unit",
          include: ["**/*.test.ts"],
          exclude: [...exclude, ...together, "test/cluster/**", "test/nfs/**"],
          globalSetup: ["test/temporary-folder.ts", "test/bundle-programs.ts"],
          ...workers,
        },
      },
      {
        extends: true,
        test: {
          name: "unit-together",
          include: together,
          globalSetup: "test/temporary-folder.ts",
          isolate: false,
          ...workers,
        },
      },
      {
        extends: true,
        test: {
          name: "cluster",
          include: ["test/cluster/**/*.test.ts"],
          globalSetup: ["test/temporary-folder.ts", "test/cluster/setup.ts"],
          // Most tests wait for pods.
          maxWorkers: 4,
          // Half a second for each file: the client library, and all of Keepsake.
          isolate: false,
          sequence: { groupOrder: 1 },
          // Pods take a second to start, and longer on a busy machine.
          expect: { poll: { timeout: 30_000, interval: 100 } },
        },
      },
      {
        extends: true,
        test: {
          name: "nfs",
          include: ["test/nfs/**/*.test.ts"],
          globalSetup: ["test/temporary-folder.ts", "test/bundle-programs.ts"],
          // Beside the cluster's.
          maxWorkers: 4,
          sequence: { groupOrder: 1 },
        },
      },
    ],
    env: {
      // For the processes that tests start: they start in half the time.
      NODE_COMPILE_CACHE: join(import.meta.dirname, "node_modules/.cache/compiled"),
      // What a developer's shell names is not told of the tests' runs.
      NATS_URL: "",
    },
    // For what hangs; a loaded machine may take its time.
    testTimeout: 120_000,
    hookTimeout: 120_000,
  },
});
