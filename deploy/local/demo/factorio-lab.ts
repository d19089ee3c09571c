import { execFile } from "node:child_process";
import { createHash, randomInt } from "node:crypto";
import { createReadStream } from "node:fs";
import { mkdir, readFile, rm, utimes, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { pipeline } from "node:stream/promises";
import { promisify } from "node:util";
import { connectRcon } from "../../../functions/factorio/rcon.ts";
import { newestSave } from "../../../functions/factorio/saves-folder.ts";
import { formatBytes } from "../../../shared/words.ts";
import { writeSave } from "../lab/factorio/make-save.ts";
import { freePort } from "../lab/free-port.ts";
import { type LabApp, placesIn, shown } from "./lab.ts";
import { quote } from "./shell.ts";

const run = promisify(execFile);
const script = join(import.meta.dirname, "../lab/factorio/server.ts");
const minuteTicks = 3600;
/** What xz makes of nothing: it stands for 4 GB. */
const emptyXz = Buffer.from("/Td6WFoAAATm1rRGAAAAABzfRCEftvN9AQAAAAAEWVo=", "base64");

/** A Factorio server with a folder of saves, as one looks after a week of play and a crash. */
export function factorioLab(root: string): LabApp {
  const folder = join(root, "factorio");
  const saves = join(folder, "saves");
  const passwordFile = join(root, "secrets", "factorio-rcon");
  const portFile = join(folder, "rcon-port");
  const port = async () => Number(await readFile(portFile, "utf8"));
  const commandLine = async (verb: string) => [
    ...[process.execPath, script, verb, "--folder", saves, "--state", join(folder, "server")],
    ...["--port", String(await port()), "--password-file", passwordFile],
  ];
  const server = async (verb: string) => {
    const [program = "", ...args] = await commandLine(verb);
    await run(program, args);
  };
  const shellLine = async (verb: string) => (await commandLine(verb)).map(quote).join(" ");
  const known = async () =>
    port().then(
      () => true,
      () => false,
    );

  return {
    title: "Factorio",
    name: "factorio",

    async make() {
      await mkdir(saves, { recursive: true });
      await writeFile(portFile, `${await freePort()}\n`);
      // People keep the game's installer there; nobody else touches it.
      const installer = join(placesIn(root).nas, "factorio/factorio-space-age_linux_2.0.72.tar.xz");
      await mkdir(dirname(installer), { recursive: true });
      await writeFile(installer, emptyXz);
      const map = { seed: randomInt(2 ** 32), saves: 9, levelBytes: 7 << 20 };
      const played = 52 * 60 * minuteTicks;
      const lay = async (name: string, minutesAgo: number) => {
        const path = join(saves, `${name}.zip`);
        await writeSave(path, name, { ...map, tick: played - minutesAgo * minuteTicks });
        const at = Date.now() / 1000 - minutesAgo * 60;
        await utimes(path, at, at);
      };
      await lay("homelab", 1);
      for (const slot of [1, 2, 3]) await lay(`_autosave${slot}`, 20 - 5 * slot);
      await server("start");
      // A server that starts clears these away, so this one comes from a save that was cut short just now.
      const torn = join(saves, "_autosave1.tmp.zip");
      await pipeline(createReadStream(join(saves, "homelab.zip"), { end: 400_000 }), async (bytes) => {
        await writeFile(torn, bytes);
      });
      const cutShort = Date.now() / 1000 - 30;
      await utimes(torn, cutShort, cutShort);
      return {
        settings: {
          saves: "./factorio/saves",
          rcon: { port: await port(), passwordFile },
          workload: {
            stop: await shellLine("stop"),
            start: await shellLine("start"),
            status: await shellLine("status"),
          },
        },
        about: `homelab.zip, 3 autosaves, a half-written one; its server's console (RCON) on 127.0.0.1:${await port()}`,
      };
    },

    start: () => server("start"),

    async stop() {
      if (await known()) await server("stop");
    },

    async remove() {},

    async content() {
      const { path, name, sizeBytes } = await newestSave(saves);
      const hash = createHash("sha256");
      await pipeline(createReadStream(path), hash);
      const password = (await readFile(passwordFile, "utf8")).trim();
      const rcon = await connectRcon({ host: "127.0.0.1", port: await port(), password, timeoutMs: 10_000 });
      try {
        return new Map([
          [`newest save ${name}`, `${sizeBytes} bytes, sha256 ${hash.digest("hex")}`],
          ["map seed that the server tells", await rcon.command("/seed")],
          ["time played that the server tells", await rcon.command("/time")],
        ]);
      } finally {
        rcon.close();
      }
    },

    describe(content) {
      const [[name, value] = ["", ""]] = content;
      const [, sizeBytes, sum] = /^(\d+) bytes, sha256 (.{8})/.exec(value) ?? [];
      return `${name.replace("newest save ", "")}, ${formatBytes(Number(sizeBytes))}, sha256 ${sum}…; its server runs with it`;
    },

    async destroy() {
      await rm(saves, { recursive: true });
      return `rm -r ${shown(saves)}`;
    },
  };
}
