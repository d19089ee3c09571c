import { spawn } from "node:child_process";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { type Cluster, openCluster } from "./cluster.ts";

/** A cluster of one's own, in some seconds. The end of this process is its end as well. */
export async function startCluster(): Promise<Cluster & { stop(): Promise<void> }> {
  const keeper = spawn(process.execPath, [join(import.meta.dirname, "machine/keeper-process.ts")], {
    detached: true, // what a terminal sends to all of its processes would end it before it has cleaned up
    stdio: ["pipe", "pipe", "inherit"],
  });
  const ended = new Promise<void>((resolve) => keeper.once("close", () => resolve()));
  const folder = await new Promise<string>((resolve, reject) => {
    createInterface({ input: keeper.stdout }).once("line", resolve);
    void ended.then(() => reject(new Error("Cannot start the cluster: what it said stands above")));
  });
  keeper.unref();
  const stop = async () => {
    keeper.stdin.end();
    await ended;
  };
  return Object.assign(await openCluster(folder), { stop });
}
