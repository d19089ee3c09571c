import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { connectTelnet } from "../../../../functions/sdtd/telnet.ts";
import { tempFolder } from "../../../../shared/testing.ts";
import { freePort } from "../free-port.ts";
import { readTtw } from "./main-ttw.ts";

const script = join(import.meta.dirname, "server.ts");

async function lab() {
  const root = await tempFolder();
  const port = await freePort();
  const call = (command: string) =>
    new Promise<{ code: number; stderr: string }>((resolve) => {
      const where = ["--user-data", join(root, "UserData"), "--world", "Old Wiki Valley", "--game", "Home"];
      execFile(process.execPath, [script, command, ...where, "--port", String(port)], (error, _, stderr) =>
        resolve({ code: error ? Number(error.code) : 0, stderr }),
      );
    });
  onTestFinished(async () => void (await call("stop")));
  const telnet = async () => {
    const password = (await readFile(join(root, "server", "telnet-password"), "utf8")).trim();
    return connectTelnet({ host: "127.0.0.1", port, password, timeoutMs: 5000 });
  };
  return { root, call, telnet, game: join(root, "UserData/Saves/Old Wiki Valley/Home") };
}

test("server.ts start, status and stop do what a workload line needs, and a stop saves", async () => {
  const { root, call, telnet, game } = await lab();
  expect((await call("status")).code).toBe(1);
  expect(await call("start")).toMatchObject({ code: 0 });
  expect((await call("status")).code).toBe(0);
  expect((await call("start")).code).toBe(0);
  expect(existsSync(join(root, "UserData/Saves/serveradmin.xml"))).toBe(true);
  expect(existsSync(join(root, "UserData/GeneratedWorlds/Old Wiki Valley/dtm.raw"))).toBe(true);
  const before = readTtw(await readFile(join(game, "main.ttw")));

  const console = await telnet();
  expect(console).toMatchObject({ world: "Old Wiki Valley", game: "Home" });
  expect(await console.command("play 600")).toEqual([]);
  expect(await console.command("gettime")).toEqual(["Day 1, 17:00"]);
  console.close();

  expect((await call("stop")).code).toBe(0);
  expect((await call("status")).code).toBe(1);
  const after = readTtw(await readFile(join(game, "main.ttw")));
  expect(after).toMatchObject({ guid: before.guid, worldTime: before.worldTime + 10_000 });
  expect((await call("stop")).code).toBe(0);
}, 60_000);
