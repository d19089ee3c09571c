import { cp } from "node:fs/promises";
import { join } from "node:path";
import type { TestProject } from "vitest/node";
import { keepsake, keepsakeImage } from "./images/keepsake.ts";
import { install } from "./install/install.ts";
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
  await install(console.warn);
  // Made while the cluster starts, which mostly waits. A test that needs it waits for it, and tells of what went wrong.
  const image = keepsakeImage(console.warn);
  image.catch(() => {});
  const cluster = await startCluster();
  const loading = cluster.load(keepsake, () => image).catch(() => {});
  project.provide("cluster", cluster.folder);
  return async () => {
    await loading;
    if (project.vitest.state.getCountOfFailedTests() > 0) {
      await cp(cluster.logs, kept, { recursive: true });
      console.error(`The logs of the cluster, and of its pods, are in ${kept}`);
    }
    await cluster.stop();
  };
}
