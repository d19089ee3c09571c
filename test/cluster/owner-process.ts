import { startCluster } from "./start.ts";

/* Starts a cluster and prints its folder; lives until it is killed. */

const cluster = await startCluster();
process.stdout.write(`${cluster.folder}\n`);
setInterval(() => {}, 1 << 30);
