import { createHash } from "node:crypto";
import { appendFile, mkdir, readdir, readFile, rename, unlink, utimes, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { Game, readState } from "../../deploy/local/lab/factorio/game.ts";
import { writeSave } from "../../deploy/local/lab/factorio/make-save.ts";
import { serveRcon } from "../../deploy/local/lab/factorio/rcon-server.ts";
import type { Stage } from "../../shared/app.ts";
import { openReadBack } from "../../shared/nas/read-back.ts";
import { verifyOptions } from "../../shared/testing.ts";
import type { Settings } from "./app.ts";
import { backup } from "./backup.ts";
import { folderStage, tempFolder, testContext } from "./testing.ts";

const levelBytes = 1_200_000;

/** A folder with a game in it, its console, and a stage to capture into. */
async function lab({
  password = "secret",
  saveMs = 0,
  ...more
}: { password?: string; saveMs?: number } & Partial<Settings> = {}) {
  const root = await tempFolder();
  const [saves, staging] = [join(root, "saves"), join(root, "staging")];
  await mkdir(staging);
  const game = await Game.load({ folder: saves, autosaveSlots: 2, levelBytes, saveMs });
  const server = await serveRcon({ port: 0, password: "secret", run: (line) => game.console(line) });
  let open = true;
  const close = async () => {
    if (open) await server.close();
    open = false;
  };
  onTestFinished(close);
  await writeFile(join(root, "rconpw"), `${password}\n`);
  const rcon = { port: server.port, passwordFile: join(root, "rconpw"), timeoutSeconds: 5 };
  const { ctx, warnings, steps } = testContext({ saves, rcon, ...more });
  return { root, saves, staging, game, close, ctx, warnings, steps, stage: folderStage(ctx, staging), rcon };
}

const sha256 = async (path: string) =>
  createHash("sha256")
    .update(await readFile(path))
    .digest("hex");

test("backup takes the game's state of now, byte by byte, and proves it", async () => {
  const { ctx, game, saves, staging, stage, warnings, steps } = await lab();
  await game.play(600);
  const source = await backup.examine(ctx);
  const saved = join(saves, "_autosave1.zip");
  expect(source).toMatchObject({ path: saved, identity: { label: expect.stringMatching(/^map [0-9a-f]{8}$/) } });
  const capture = await backup.capture(ctx, source, stage);
  expect(await readFile(join(staging, "save"))).toEqual(await readFile(saved));
  expect(capture.checksums.get("save")).toBe(await sha256(saved));
  expect(capture).toMatchObject({
    takenAtMs: source.lookedAtMs,
    fingerprint: source.fingerprint,
    facts: { save: "_autosave1.zip" },
  });
  expect(await readState(saved)).toEqual(game.state);

  const file = await openReadBack(join(staging, "save"));
  expect(await backup.verify(new Map([["save", file]]), verifyOptions())).toMatchObject({
    facts: { gameVersion: "2.0.72", levelBytes },
    identity: source.identity as object,
  });
  await file.close();
  expect(warnings).toEqual([]);
  expect(steps).toContain("send /server-save to the game");
});

test("examine() saves into a slot of its own when the settings say so", async () => {
  const { ctx, saves, rcon } = await lab();
  const settings = { ...ctx.settings, rcon: { ...ctx.settings.rcon, ...rcon, saveName: "backup" } } as Settings;
  expect((await backup.examine({ ...ctx, settings })).path).toBe(join(saves, "backup.zip"));
});

test("examine() waits for a server that saves for a while and answers nobody meanwhile", async () => {
  const { ctx, game, warnings } = await lab({ saveMs: 150 });
  const { path } = await backup.examine(ctx);
  expect(await readState(path)).toEqual(game.state);
  expect(warnings).toEqual([]);
});

test("backup gives the same checksum when the game saves again and nobody has played", async () => {
  const { ctx, game, stage } = await lab();
  const checksum = async () => (await backup.capture(ctx, await backup.examine(ctx), stage)).checksums.get("save");
  const first = await checksum();
  expect(await checksum()).toBe(first);
  await game.play(1);
  expect(await checksum()).not.toBe(first);
});

test("examine() gives the same fingerprint as long as no save was written", async () => {
  const { ctx, game } = await lab();
  const { rcon: _, ...settings } = ctx.settings;
  const first = await backup.examine({ ...ctx, settings });
  expect((await backup.examine({ ...ctx, settings })).fingerprint).toBe(first.fingerprint);
  await game.save();
  expect((await backup.examine({ ...ctx, settings })).fingerprint).not.toBe(first.fingerprint);
});

test("examine() does not read the map of a save that is known by its fingerprint, and reads that of any other", async () => {
  const { ctx, game } = await lab();
  const { rcon: _, ...settings } = ctx.settings;
  const { fingerprint } = await backup.examine({ ...ctx, settings });
  const identity = { id: "as it was remembered", label: "a map" };
  expect((await backup.examine({ ...ctx, settings }, { fingerprint, identity })).identity).toBe(identity);
  expect((await backup.examine({ ...ctx, settings }, { fingerprint })).identity?.id).toMatch(/^level-init/);
  await game.save();
  expect((await backup.examine({ ...ctx, settings }, { fingerprint, identity })).identity).not.toBe(identity);
});

test("examine() notices a wrong password", async () => {
  const { ctx } = await lab({ password: "wrong" });
  await expect(backup.examine(ctx)).rejects.toMatchObject({
    code: "source_unreachable",
    hint: expect.stringContaining("rconpw"),
  });
});

test("examine() notices a missing password file", async () => {
  const { ctx, root } = await lab();
  await unlink(join(root, "rconpw"));
  await expect(backup.examine(ctx)).rejects.toMatchObject({ code: "invalid_config" });
});

test("examine() takes what is on disk when the server is stopped, and says so", async () => {
  const { ctx, close, warnings, saves } = await lab();
  await close();
  expect((await backup.examine(ctx)).path).toBe(join(saves, "_autosave1.zip"));
  expect(warnings).toEqual([expect.stringContaining("ECONNREFUSED")]);
});

test("examine() takes what is on disk when the game hangs, and says so", async () => {
  const { ctx, game, warnings, rcon } = await lab();
  const { promise, resolve } = Promise.withResolvers<void>();
  const run = () => ({ text: "Saving the map...", after: () => promise });
  const hang = await serveRcon({ port: 0, password: "secret", run });
  onTestFinished(() => {
    resolve();
    return hang.close();
  });
  const settings = { ...ctx.settings, rcon: { ...rcon, host: "127.0.0.1", port: hang.port, timeoutSeconds: 0.1 } };
  expect(await readState((await backup.examine({ ...ctx, settings })).path)).toEqual(game.state);
  expect(warnings).toEqual([expect.stringContaining("did not come within 0.1 s")]);
});

test("examine() says so when the game saves somewhere else", async () => {
  const { ctx, warnings, rcon } = await lab();
  const elsewhere = await lab();
  const settings = {
    ...ctx.settings,
    rcon: { ...rcon, host: "127.0.0.1", port: elsewhere.rcon.port, timeoutSeconds: 2 },
  };
  await backup.examine({ ...ctx, settings });
  expect(warnings).toEqual([expect.stringContaining("is this its folder?")]);
});

test("examine() names the newest save when it is broken, and takes no older one in silence", async () => {
  const { ctx, saves } = await lab();
  const { rcon: _, ...settings } = ctx.settings;
  await writeFile(join(saves, "newer.zip"), "PK, but no more");
  // Two files of one moment have one time: the kernel's clock for files ticks every 4 ms.
  await utimes(join(saves, "newer.zip"), Date.now() / 1000 + 1, Date.now() / 1000 + 1);
  await expect(backup.examine({ ...ctx, settings })).rejects.toMatchObject({
    code: "source_invalid",
    message: expect.stringContaining("newer.zip"),
  });
});

test("capture() keeps to the save that it opened while the slots rotate", async () => {
  const { ctx, game, saves, staging } = await lab();
  const { rcon: _, ...settings } = ctx.settings;
  const still = { ...ctx, settings };
  const source = await backup.examine(still);
  const before = await readFile(source.path);
  const rotating: Stage = {
    untouched: new Set(),
    write: (kind, bytes) => {
      async function* rotated() {
        for await (const piece of bytes) {
          for (let n = 0; n < 3; n++) await game.play(600);
          yield piece;
        }
      }
      return folderStage(ctx, staging).write(kind, rotated());
    },
  };
  const capture = await backup.capture(still, source, rotating);
  expect(await readFile(join(staging, "save"))).toEqual(before);
  expect(await readFile(source.path)).not.toEqual(before);
  expect(capture.fingerprint).toBe(source.fingerprint);
  expect((await readdir(saves)).toSorted()).toEqual(["_autosave1.zip", "_autosave2.zip"]);
});

test("capture() takes the newest save when the chosen one was rotated away before", async () => {
  const { ctx, game, staging, stage } = await lab();
  const { rcon: _, ...settings } = ctx.settings;
  const source = await backup.examine({ ...ctx, settings });
  await game.play(600);
  await game.play(600);
  const capture = await backup.capture({ ...ctx, settings }, source, stage);
  expect(capture.facts).toMatchObject({ save: "_autosave2.zip" });
  expect(await readState(join(staging, "save"))).toEqual(game.state);
});

test("capture() gives up on a save that somebody writes into", async () => {
  const { ctx, staging } = await lab();
  const { rcon: _, ...settings } = ctx.settings;
  const source = await backup.examine({ ...ctx, settings });
  let writes = 0;
  const stage: Stage = {
    untouched: new Set(),
    write: async (kind, bytes) => {
      const written = await folderStage(ctx, staging).write(kind, bytes);
      // Still a zip, with a comment that grows.
      const whole = await readFile(source.path);
      whole.writeUInt16LE(++writes, whole.length - 22 - writes + 1 + 20);
      await writeFile(source.path, whole);
      await appendFile(source.path, "!");
      return written;
    },
  };
  await expect(backup.capture({ ...ctx, settings }, source, stage)).rejects.toMatchObject({ code: "source_changing" });
  expect(writes).toBe(5);
});

test("capture() takes no save of another map than the one that was looked at", async () => {
  const { ctx, root, stage } = await lab();
  const { rcon: _, ...settings } = ctx.settings;
  const source = await backup.examine({ ...ctx, settings });
  await writeSave(join(root, "new.zip"), "new", { seed: 5, tick: 0, saves: 1, levelBytes });
  await rename(join(root, "new.zip"), source.path);
  await expect(backup.capture({ ...ctx, settings }, source, stage)).rejects.toMatchObject({ code: "source_changing" });
});

test("verify() wants a save", async () => {
  await expect(backup.verify(new Map(), verifyOptions())).rejects.toMatchObject({ code: "backup_damaged" });
});
