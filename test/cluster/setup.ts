import { cp } from "node:fs/promises";
import { join } from "node:path";
import type { TestProject } from "vitest/node";
import { startCluster } from "./start.ts";

declare module "vitest" {
  interface ProvidedContext {
    /** The folder of the cluster that the test files share. */
    cluster: string;
  }
}

/** Where the logs of a cluster lie whose tests have failed. */
const kept = join(import.meta.dirname, "../../build/cluster-logs");

/** Vitest's global set-up of the cluster's tests. `KEEPSAKE_CLUSTER` names the folder of one that runs already. */
export async function setup(project: TestProject): Promise<(() => Promise<void>) | undefined> {
  const running = process.env.KEEPSAKE_CLUSTER;
  if (running) return void project.provide("cluster", running);
  const cluster = await startCluster();
  project.provide("cluster", cluster.folder);
  return async () => {
    if (project.vitest.state.getCountOfFailedTests() > 0) {
      await cp(cluster.logs, kept, { recursive: true });
      console.error(`The logs of the cluster, and of its pods, are in ${kept}`);
    }
    await cluster.stop();
  };
}
