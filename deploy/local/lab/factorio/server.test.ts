import { execFile } from "node:child_process";
import { mkdir, mkdtemp, readdir, readFile, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { connectRcon } from "../../../../functions/factorio/rcon.ts";
import { readState } from "./game.ts";
import { writeSave } from "./make-save.ts";

const script = join(import.meta.dirname, "server.ts");
const state = { seed: 9, tick: 60, saves: 1, levelBytes: 50_000 };

/** A port that is free now. */
const freePort = () =>
  new Promise<number>((resolve) => {
    const probe = createServer().listen(0, "127.0.0.1", () => {
      const { port } = probe.address() as { port: number };
      probe.close(() => resolve(port));
    });
  });

async function lab() {
  const root = await mkdtemp(join(tmpdir(), "factorio-server-"));
  const [saves, port] = [join(root, "saves"), await freePort()];
  await mkdir(saves);
  const call = (command: string) =>
    new Promise<{ code: number; stderr: string }>((resolve) => {
      const args = [script, command, "--folder", saves, "--port", String(port), "--level-mib", "1"];
      execFile(process.execPath, args, (error, _, stderr) => resolve({ code: error ? Number(error.code) : 0, stderr }));
    });
  onTestFinished(async () => void (await call("stop")));
  const rcon = async () => {
    const password = (await readFile(join(root, "server", "rconpw"), "utf8")).trim();
    return connectRcon({ host: "127.0.0.1", port, password, timeoutMs: 5000 });
  };
  return { saves, call, rcon };
}

test("server.ts start, status and stop do what a workload line needs", async () => {
  const { saves, call, rcon } = await lab();
  await writeSave(join(saves, "homelab.zip"), "homelab", state);
  await writeFile(join(saves, "_autosave1.tmp.zip"), "half a save, and newer");
  expect((await call("status")).code).toBe(1);
  expect((await call("start")).code).toBe(0);
  expect((await call("status")).code).toBe(0);
  expect((await call("start")).code).toBe(0);
  expect(await readdir(saves)).toEqual(["homelab.zip"]);

  const console = await rcon();
  expect(await console.command("/seed")).toBe("9");
  await console.command("/play 600");
  expect(await console.command("/server-save backup")).toContain("Saving the map");
  console.close();
  expect((await readdir(saves)).toSorted()).toEqual(["_autosave1.zip", "backup.zip", "homelab.zip"]);

  expect((await call("stop")).code).toBe(0);
  expect((await call("status")).code).toBe(1);
  expect(await readState(join(saves, "homelab.zip"))).toEqual({ ...state, tick: 660, saves: 2 });
  expect((await call("stop")).code).toBe(0);
}, 30_000);

test("server.ts makes a new map over an empty folder, and does not start over a broken save", async () => {
  const { saves, call } = await lab();
  expect((await call("start")).code).toBe(0);
  expect(await readdir(saves)).toEqual(["_autosave1.zip"]);
  expect((await call("stop")).code).toBe(0);
  await writeFile(join(saves, "newer.zip"), "not a zip");
  const start = await call("start");
  expect(start).toMatchObject({ code: 1, stderr: expect.stringContaining("End of central directory") });
  expect((await call("status")).code).toBe(1);
}, 30_000);
