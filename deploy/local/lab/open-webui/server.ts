import { existsSync } from "node:fs";
import { mkdir } from "node:fs/promises";
import { join, resolve } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { parseArgs } from "node:util";
import { control, untilAborted } from "../server-process.ts";

/*
 * An Open WebUI server for the home lab, as a process: node server.ts start|stop|status|run --data <folder> …
 * The first three are made for the settings' `workload` lines. Exit status of `status`: 0 runs, 1 does not.
 * `crash` starts, and dies in the middle of a transaction, which leaves a hot journal.
 */

const { positionals, values } = parseArgs({
  allowPositionals: true,
  options: {
    /** The data folder, with webui.db. */
    data: { type: "string" },
    /** Where its pid and log are; beside the data when absent. */
    state: { type: "string" },
    /** How many chats are written after the start, one after the other. */
    chats: { type: "string", default: "0" },
    /** Instead: chats are written until this is there. */
    until: { type: "string" },
    "every-ms": { type: "string", default: "20" },
    /** DATABASE_ENABLE_SQLITE_WAL. */
    wal: { type: "boolean", default: false },
    /** The newest revision of the database that this image knows; the lab's newest when absent. */
    head: { type: "string" },
  },
});
const [command] = positionals;
if (!values.data || !command) throw new Error("Usage: server.ts start|stop|status|run --data <folder>");
const data = resolve(values.data);
const state = resolve(values.state ?? join(data, "..", "server"));

process.exitCode = command === "crash" ? await crash() : await control(command, { state, run });

async function run(isReady: () => Promise<void>, stop: AbortSignal): Promise<void> {
  const { WebuiServer } = await import("./webui-server.ts");
  await mkdir(data, { recursive: true });
  const server = WebuiServer.start(data, { wal: values.wal, ...(values.head && { head: values.head }) });
  await isReady();
  console.log(`Open WebUI runs over ${data}`);
  const { until, chats } = values;
  const more = until === undefined ? (n: number) => n < Number(chats) : () => !existsSync(resolve(until));
  for (let n = 0; more(n) && !stop.aborted; n++) {
    server.chat();
    await delay(Number(values["every-ms"]), undefined, { signal: stop }).catch(() => {});
  }
  console.log("Rests");
  await untilAborted(stop);
  server.close();
}

async function crash(): Promise<number> {
  const { WebuiServer } = await import("./webui-server.ts");
  return WebuiServer.start(data, { wal: values.wal }).chatAndCrash();
}
