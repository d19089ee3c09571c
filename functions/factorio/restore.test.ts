import { mkdir, readdir, readFile, stat, utimes, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { Game, readState } from "../../deploy/local/lab/factorio/game.ts";
import { type GameState, writeSave } from "../../deploy/local/lab/factorio/make-save.ts";
import { serveRcon } from "../../deploy/local/lab/factorio/rcon-server.ts";
import type { PointFacts } from "../../shared/app.ts";
import { openReadBack, type ReadBack } from "../../shared/nas/read-back.ts";
import { restore } from "./restore.ts";
import { tempFolder, testContext } from "./testing.ts";

const backedUp: GameState = { seed: 1, tick: 600, saves: 3, levelBytes: 300_000 };
const present: GameState = { seed: 2, tick: 0, saves: 1, levelBytes: 300_000 };
const point: PointFacts = { id: "20251219-180000", takenAtMs: Date.UTC(2025, 11, 19, 18) };

/** A backup, and a folder of saves with another map, a slot, a half written save, and a file that is none. */
async function lab() {
  const root = await tempFolder();
  const saves = join(root, "saves");
  await mkdir(saves);
  await writeSave(join(root, "backup.zip"), "_autosave2", backedUp);
  await writeSave(join(saves, "homelab.zip"), "homelab", present);
  await writeSave(join(saves, "_autosave1.zip"), "_autosave1", { ...present, saves: 2 });
  await utimes(join(saves, "homelab.zip"), 1000, 1000);
  await writeFile(join(saves, "_autosave2.tmp.zip"), "half");
  await writeFile(join(saves, "notes.txt"), "mine");
  const { ctx, steps, warnings } = testContext({ saves });
  const file = await openReadBack(join(root, "backup.zip"));
  onTestFinished(() => file.close());
  const files = new Map<string, ReadBack>([["save", file]]);
  const before = await contentOf(saves);
  return { root, saves, ctx, steps, warnings, files, before, target: restore.target(ctx) };
}

/** Every file in the folder itself, with its bytes. */
async function contentOf(folder: string): Promise<Record<string, string>> {
  const names = (await readdir(folder, { withFileTypes: true }))
    .filter((entry) => entry.isFile())
    .map(({ name }) => name);
  const content = names.toSorted().map(async (name) => [name, (await readFile(join(folder, name))).toString("base64")]);
  return Object.fromEntries(await Promise.all(content));
}

const loadGame = (folder: string) => Game.load({ folder, autosaveSlots: 3, levelBytes: 1000, saveMs: 0 });

test("restore puts the saved bytes in place, moves every other save aside, and touches nothing else, not even half a save", async () => {
  const { root, saves, target, files, before } = await lab();
  await target.stage(files, point);
  expect(await contentOf(saves)).toEqual(before);
  await target.swap();
  await target.commit();
  expect(await contentOf(saves)).toEqual({
    "homelab.zip": (await readFile(join(root, "backup.zip"))).toString("base64"),
    "_autosave2.tmp.zip": before["_autosave2.tmp.zip"],
    "notes.txt": before["notes.txt"],
  });
});

test("restore makes a server load the restored save, also one that stopped after it was staged", async () => {
  const { saves, target, files } = await lab();
  await target.stage(files, point);
  const stopping = await loadGame(saves);
  await stopping.save();
  await target.swap();
  const restarted = await loadGame(saves);
  expect(restarted.state).toEqual(backedUp);
  await target.commit();
});

test("rollBack() puts the present saves back as they were", async () => {
  const { saves, target, files, before } = await lab();
  await target.stage(files, point);
  await target.swap();
  await target.rollBack();
  expect(await contentOf(saves)).toEqual(before);
});

test("an undo puts the replaced saves back, and a server loads the newest of them", async () => {
  const { saves, target, files, before } = await lab();
  await target.stage(files, point);
  await target.swap();
  await target.commit();
  const [aside] = await target.asides();
  const undo = restore.target(testContext({ saves }, "run-2").ctx);
  await undo.stageAside(aside as never);
  await undo.swap();
  await undo.commit();
  expect(await contentOf(saves)).toEqual(before);
  expect((await loadGame(saves)).state).toMatchObject({ seed: present.seed, saves: 2 });
});

test("restore gives the save to the owner of the folder, readable by all", async () => {
  const { saves, target, files } = await lab();
  await target.stage(files, point);
  await target.swap();
  const [folder, save] = [await stat(saves), await stat(join(saves, "homelab.zip"))];
  expect([save.uid, save.gid, save.mode & 0o777]).toEqual([folder.uid, folder.gid, 0o644]);
});

test("restore brings back a folder that is gone", async () => {
  const { root, files } = await lab();
  const saves = join(root, "new", "saves");
  const target = restore.target(testContext({ saves, saveName: "my world" }).ctx);
  expect(await target.present()).toBeUndefined();
  await target.stage(files, point);
  await target.swap();
  await target.commit();
  expect(await readState(join(saves, "my world.zip"))).toEqual(backedUp);
});

test("restore refuses a save that is not sound where it arrived, and replaces nothing", async () => {
  const { root, saves, target, before } = await lab();
  await writeFile(join(root, "bad.zip"), "no zip");
  const file = await openReadBack(join(root, "bad.zip"));
  await expect(target.stage(new Map([["save", file]]), point)).rejects.toMatchObject({ code: "backup_damaged" });
  await file.close();
  await target.rollBack();
  expect(await contentOf(saves)).toEqual(before);
});

test("present() says what a restore would replace", async () => {
  const { target } = await lab();
  expect(await target.present()).toMatchObject({
    label: "2 saves, newest _autosave1.zip",
    identity: { label: expect.stringMatching(/^map /) },
    changedAtMs: expect.any(Number),
  });
});

test("place() puts the save beside production", async () => {
  const { root, saves, target, files, before } = await lab();
  const to = join(root, "look");
  expect(await target.place(files, point, to)).toBe(to);
  expect(await readState(join(to, "homelab.zip"))).toEqual(backedUp);
  expect(await contentOf(saves)).toEqual(before);
});

test.each([
  ["warns and waits when somebody plays", "Online players (1):\n  anna (online)", 1],
  ["warns nobody when nobody plays", "Online players (0):", 0],
])("beforeStop() %s", async (_, online, warnings) => {
  const said: string[] = [];
  const server = await serveRcon({
    port: 0,
    password: "secret",
    run: (line) => {
      if (!line.startsWith("/")) said.push(line);
      return { text: line === "/players online" ? online : "" };
    },
  });
  onTestFinished(() => server.close());
  const root = await tempFolder();
  await writeFile(join(root, "rconpw"), "secret");
  const rcon = { port: server.port, passwordFile: join(root, "rconpw") };
  await restore.beforeStop?.(testContext({ saves: root, rcon, warnSeconds: 0 }).ctx);
  expect(said).toHaveLength(warnings);
});
