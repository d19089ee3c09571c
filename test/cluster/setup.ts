import type { TestProject } from "vitest/node";
import { startCluster } from "./start.ts";

declare module "vitest" {
  interface ProvidedContext {
    /** The folder of the cluster that the test files share. */
    cluster: string;
  }
}

/** Vitest's global set-up of the cluster's tests. `KEEPSAKE_CLUSTER` names the folder of one that runs already. */
export async function setup(project: TestProject): Promise<(() => Promise<void>) | undefined> {
  const running = process.env.KEEPSAKE_CLUSTER;
  if (running) return void project.provide("cluster", running);
  const cluster = await startCluster();
  project.provide("cluster", cluster.folder);
  return () => cluster.stop();
}
