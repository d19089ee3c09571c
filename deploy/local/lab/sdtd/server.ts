import { existsSync } from "node:fs";
import { mkdir, writeFile } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { passwordIn } from "../password-file.ts";
import { control, untilAborted } from "../server-process.ts";
import type { Game } from "./game.ts";

/*
 * A dedicated server of 7 Days to Die for the home lab, as a process:
 *   node server.ts start|stop|status|run --user-data <UserData> --world <World> --game <GameName> …
 * The first three are made for the settings' `workload` lines. Exit status of `status`: 0 runs, 1 does not.
 */

const { positionals, values } = parseArgs({
  allowPositionals: true,
  options: {
    "user-data": { type: "string" },
    world: { type: "string" },
    game: { type: "string" },
    /** Where its pid, log and password are; beside UserData when absent. */
    state: { type: "string" },
    port: { type: "string", default: "8081" },
    /** Made with a random password when it is missing. */
    "password-file": { type: "string" },
    seed: { type: "string", default: "1" },
  },
});
const [command] = positionals;
const { world, game } = values;
if (!values["user-data"] || !world || !game || !command) {
  throw new Error("Usage: server.ts start|stop|status|run --user-data <UserData> --world <World> --game <GameName>");
}
const userData = resolve(values["user-data"]);
const state = resolve(values.state ?? join(userData, "..", "server"));
const passwordFile = resolve(values["password-file"] ?? join(state, "telnet-password"));

process.exitCode = await control(command, {
  state,
  stopSignal: "SIGINT",
  async run(isReady, stop) {
    const [{ bannerOf, Game }, { serveTelnet }] = await Promise.all([
      import("./game.ts"),
      import("./telnet-server.ts"),
    ]);
    await writeAdmins();
    let loaded: Game | undefined;
    // The console is there before the world is.
    const telnet = await serveTelnet({
      port: Number(values.port),
      password: await passwordIn(passwordFile),
      banner: bannerOf({ world, game }),
      started: () => loaded !== undefined,
      run: (line) => (loaded as Game).console(line),
    });
    loaded = await Game.load({ userData, world, game, seed: Number(values.seed) });
    telnet.log("StartGame done");
    await isReady();
    console.log(`Console at 127.0.0.1:${telnet.port}`);
    await untilAborted(stop);
    await telnet.close();
    await loaded.saveWorld();
  },
});

/** The chart's image writes it at each start where there is none; a restore must leave it alone. */
async function writeAdmins(): Promise<void> {
  const path = join(userData, "Saves", "serveradmin.xml");
  if (existsSync(path)) return;
  await mkdir(dirname(path), { recursive: true });
  await writeFile(path, '<?xml version="1.0" encoding="UTF-8"?>\n<adminTools>\n  <users />\n</adminTools>\n');
}
