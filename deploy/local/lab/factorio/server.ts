import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { passwordIn } from "../password-file.ts";
import { control, untilAborted } from "../server-process.ts";

/*
 * A Factorio server for the home lab, as a process: node server.ts start|stop|status|run --folder <saves> …
 * The first three are made for the settings' `workload` lines. Exit status of `status`: 0 runs, 1 does not.
 */

const { positionals, values } = parseArgs({
  allowPositionals: true,
  options: {
    /** The folder of saves. */
    folder: { type: "string" },
    /** Where its pid, log and password are; beside the saves when absent. */
    state: { type: "string" },
    port: { type: "string", default: "27015" },
    /** Made with a random password when it is missing, as the image does. */
    "password-file": { type: "string" },
    slots: { type: "string", default: "3" },
    "level-mib": { type: "string", default: "3" },
    /** How much longer than needed a save takes. */
    "save-ms": { type: "string", default: "0" },
  },
});
const [command] = positionals;
if (!values.folder || !command) throw new Error("Usage: server.ts start|stop|status|run --folder <saves>");
const folder = resolve(values.folder);
const state = resolve(values.state ?? join(folder, "..", "server"));
const passwordFile = resolve(values["password-file"] ?? join(state, "rconpw"));

process.exitCode = await control(command, {
  state,
  async run(isReady, stop) {
    const [{ Game }, { serveRcon }] = await Promise.all([import("./game.ts"), import("./rcon-server.ts")]);
    const game = await Game.load({
      folder,
      autosaveSlots: Number(values.slots),
      levelBytes: Number(values["level-mib"]) << 20,
      saveMs: Number(values["save-ms"]),
    });
    const rcon = await serveRcon({
      port: Number(values.port),
      password: await passwordIn(passwordFile),
      run: (line) => game.console(line),
    });
    await isReady();
    console.log(`Hosting game at 127.0.0.1:${rcon.port}`);
    await untilAborted(stop);
    await rcon.close();
    await game.save();
  },
});
