import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { control, untilAborted } from "../server-process.ts";

/*
 * `ollama serve` for the home lab, as a process: node server.ts start|stop|status|run --folder <~/.ollama> …
 * The first three are made for the settings' `workload` lines. Exit status of `status`: 0 runs, 1 does not.
 */

const { positionals, values } = parseArgs({
  allowPositionals: true,
  options: {
    /** Stands for `~/.ollama`: the keys, and the store in `models`. */
    folder: { type: "string" },
    /** Where its pid and log are; beside the folder when absent. */
    state: { type: "string" },
    port: { type: "string", default: "11434" },
  },
});
const [command] = positionals;
if (!values.folder || !command) throw new Error("Usage: server.ts start|stop|status|run --folder <~/.ollama>");
const folder = resolve(values.folder);
const state = resolve(values.state ?? join(folder, "..", "server"));

process.exitCode = await control(command, {
  state,
  async run(isReady, stop) {
    const [{ makeKeys }, { Ollama }, { serveOllama }] = await Promise.all([
      import("./make-store.ts"),
      import("./ollama.ts"),
      import("./http-server.ts"),
    ]);
    await makeKeys(folder);
    const ollama = new Ollama(join(folder, "models"));
    const { removed, skipped } = await ollama.prune();
    if (skipped !== undefined) console.log(`corrupt manifests detected, skipping prune operation: ${skipped}`);
    for (const name of removed) console.log(`removed unused layer ${name}`);
    const server = await serveOllama(ollama, Number(values.port));
    await isReady({ port: server.port });
    console.log(`Listening on 127.0.0.1:${server.port}`);
    await untilAborted(stop);
    await server.close();
  },
});
