import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import { promisify } from "node:util";
import { countsAsChange } from "../../../functions/sdtd/members.ts";
import { connectTelnet, type Telnet } from "../../../functions/sdtd/telnet.ts";
import { walkFiles } from "../../../shared/source/walk.ts";
import { formatBytes } from "../../../shared/words.ts";
import { freePort } from "../lab/free-port.ts";
import { dayTicks } from "../lab/sdtd/main-ttw.ts";
import { makeGame, newGame } from "../lab/sdtd/make-game.ts";
import { makeWorld } from "../lab/sdtd/make-world.ts";
import { type LabApp, shown } from "./lab.ts";

const run = promisify(execFile);
const script = join(import.meta.dirname, "../lab/sdtd/server.ts");
/** As the game names a world that it generates, and the chart a game. */
const [world, game] = ["West Wikibi Territory", "FoundationRWG"];
const seed = 20_251_219;

/** A dedicated server of 7 Days to Die in its sixth week, with another world that was tried before. */
export function sdtdLab(root: string): LabApp {
  const folder = join(root, "sdtd");
  const userData = join(folder, "UserData");
  const gameFolder = join(userData, "Saves", world, game);
  const worldFolder = join(userData, "GeneratedWorlds", world);
  const passwordFile = join(root, "secrets", "sdtd-telnet");
  const portFile = join(folder, "telnet-port");
  const port = async () => Number(await readFile(portFile, "utf8"));
  const commandLine = async (verb: string) => [
    ...[process.execPath, script, verb, "--user-data", userData, "--world", world, "--game", game],
    ...["--state", join(folder, "server"), "--port", String(await port()), "--password-file", passwordFile],
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
  const withConsole = async <T>(use: (telnet: Telnet) => Promise<T>): Promise<T> => {
    const password = (await readFile(passwordFile, "utf8")).trim();
    const telnet = await connectTelnet({ host: "127.0.0.1", port: await port(), password, timeoutMs: 10_000 });
    try {
      return await use(telnet);
    } finally {
      telnet.close();
    }
  };

  return {
    title: "7 Days to Die",
    name: "sdtd",

    async make() {
      const state = { ...newGame(seed), worldTime: 39 * dayTicks, ticks: 900, nextEntityId: 4711 };
      await makeGame(gameFolder, state, { regions: 9, chunksPerRegion: 40, chunkBytes: 24_000, players: 4 });
      await makeWorld(worldFolder, seed, 1024);
      await makeWorld(join(userData, "GeneratedWorlds", "Old Nikazohi Valley"), 7, 128);
      await writeFile(portFile, `${await freePort()}\n`);
      await server("start");
      await withConsole(async (telnet) => {
        for (const line of ["play 2880", "saveworld"]) await telnet.command(line);
      });
      return {
        settings: {
          userData: "./sdtd/UserData",
          telnet: { port: await port(), passwordFile },
          workload: {
            stop: await shellLine("stop"),
            start: await shellLine("start"),
            status: await shellLine("status"),
          },
        },
        about: `game ${game} in the world ${world}, another world beside it; its server's console on 127.0.0.1:${await port()}`,
      };
    },

    start: () => server("start"),

    async stop() {
      if (await known()) await server("stop");
    },

    async remove() {},

    async content() {
      const files = [...(await filesIn(gameFolder, "game", countsAsChange)), ...(await filesIn(worldFolder, "world"))];
      const day = await withConsole((telnet) => telnet.command("gettime"));
      return new Map([...files, ["time that the server tells", day.join(" ")]]);
    },

    describe(content) {
      const sizes = (kind: string) =>
        [...content].filter(([key]) => key.startsWith(`${kind} `)).map(([, value]) => Number.parseInt(value, 10));
      const [ofGame, ofWorld] = [sizes("game"), sizes("world")];
      const bytes = (all: number[]) => formatBytes(all.reduce((sum, size) => sum + size, 0));
      return `${ofGame.length} files of the game, ${bytes(ofGame)}, ${ofWorld.length} of its world, ${bytes(ofWorld)}; its server tells ${content.get("time that the server tells")}`;
    },

    async destroy() {
      await rm(gameFolder, { recursive: true });
      await rm(worldFolder, { recursive: true });
      return `rm -r ${shown(gameFolder)}; rm -r ${shown(worldFolder)}`;
    },
  };
}

/** Every file with its size and hash. */
async function filesIn(folder: string, kind: string, counts = (_: string) => true): Promise<[string, string][]> {
  const files: [string, string][] = [];
  for await (const { path, sizeBytes } of walkFiles(folder)) {
    if (!counts(path)) continue;
    const hash = createHash("sha256");
    await pipeline(createReadStream(join(folder, path)), hash);
    files.push([`${kind} ${path}`, `${sizeBytes} bytes, sha256 ${hash.digest("hex")}`]);
  }
  return files;
}

/** For `sh -c`. */
const quote = (word: string) => (/^[\w./:=-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`);
