import { execFileSync } from "node:child_process";
import { mkdir, readdir, readFile, rename, rm, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { Game } from "../../deploy/local/lab/sdtd/game.ts";
import { lab, withConsole } from "../../deploy/local/lab/sdtd/testing.ts";
import type { Facts, PointFacts } from "../../shared/app.ts";
import type { ReadBack } from "../../shared/nas/read-back.ts";
import { readTree } from "../../shared/testing.ts";
import { backup } from "./backup.ts";
import { restore } from "./restore.ts";
import { played, staged } from "./testing.ts";

/** A game that was backed up, then played on. */
async function backedUp(options: { withWorld?: boolean } = {}) {
  const given = await lab();
  given.game.play(100);
  await given.game.saveWorld();
  const saved = { game: await readTree(given.gameFolder), world: await readTree(given.worldFolder) };
  const capture = await backup.capture(given.ctx, await backup.examine(given.ctx), given.stage);
  given.game.play(3000);
  await given.game.saveWorld();
  const files = await staged(given.staging, "save", ...(options.withWorld === false ? [] : ["world"]));
  const point: PointFacts = {
    id: "20251219-180000",
    takenAtMs: capture.takenAtMs,
    label: played.world,
    about: capture.about as ReadonlyMap<string, Facts>,
    facts: capture.facts as Facts,
  };
  const target = restore.target(given.ctx);
  const put = async (what: Partial<PointFacts> = {}, from = files) => {
    await target.stage(from, { ...point, ...what });
    await target.swap();
    await target.commit();
  };
  return { ...given, saved, files, point, target, put };
}

test("restore puts game and world in place, and leaves everything else alone", async () => {
  const { userData, gameFolder, worldFolder, saved, put } = await backedUp();
  const others = {
    "Saves/serveradmin.xml": "<adminTools/>",
    [`Saves/${played.world}/Another/main.ttw`]: "another game",
    "Saves/Navezgane/Test/main.ttw": "another world's game",
    "GeneratedWorlds/Old Valley/main.ttw": "another world",
  };
  for (const [path, content] of Object.entries(others)) {
    await mkdir(join(userData, path, ".."), { recursive: true });
    await writeFile(join(userData, path), content);
  }
  await writeFile(join(worldFolder, "dtm.raw"), "damaged");
  await writeFile(join(gameFolder, "Region/r.9.9.7rg"), "newer");
  await put();
  expect(await readTree(gameFolder)).toEqual(saved.game);
  expect(await readTree(worldFolder)).toEqual(saved.world);
  for (const [path, content] of Object.entries(others)) {
    expect(await readFile(join(userData, path), "utf8")).toBe(content);
  }
});

test("restore gives files to the owner of the folder, readable by its server", async () => {
  const { gameFolder, userData, put } = await backedUp();
  await put();
  const [file, folder] = [await stat(join(gameFolder, "main.ttw")), await stat(userData)];
  expect([file.uid, file.gid]).toEqual([folder.uid, folder.gid]);
  expect(file.mode & 0o644).toBe(0o644);
});

test("restore brings a game back that is gone with everything, and its server goes on with it", async () => {
  const { userData, gameFolder, game, saved, put } = await backedUp();
  await rm(join(userData, "Saves"), { recursive: true });
  await rm(join(userData, "GeneratedWorlds"), { recursive: true });
  await put();
  expect(await readTree(gameFolder)).toEqual(saved.game);
  const loaded = await Game.load(game.options);
  expect(loaded.state.guid).toBe(game.state.guid);
  expect(loaded.state.worldTime).toBeLessThan(game.state.worldTime);
});

test("restore takes folders as the game wrote them, whatever the case", async () => {
  const { userData, saved, put } = await backedUp();
  await rename(join(userData, "Saves"), join(userData, "saves"));
  await put();
  expect(await readTree(join(userData, "saves", played.world, played.game))).toEqual(saved.game);
  expect((await readdir(userData)).sort()).toEqual([".keepsake", "GeneratedWorlds", "saves"]);
});

test("restore of a point without a world uses the world that is there, and refuses when it is nowhere (a world's name was made up elsewhere)", async () => {
  const { gameFolder, worldFolder, saved, put, target, files, point } = await backedUp({ withWorld: false });
  await put();
  expect(await readTree(gameFolder)).toEqual(saved.game);
  await rm(worldFolder, { recursive: true });
  await expect(target.stage(files, point)).rejects.toMatchObject({
    code: "target_invalid",
    message: expect.stringContaining(`the world "${played.world}" is wanted, it is neither in the backup nor in`),
  });
  await target.rollBack();
  expect(await readTree(gameFolder)).toEqual(saved.game);
});

test("restore of a point without a world needs none that comes with the game", async () => {
  const { userData, saved, put, worldFolder } = await backedUp({ withWorld: false });
  await rm(worldFolder, { recursive: true });
  await put({ label: "Navezgane", facts: {} });
  expect(await readTree(join(userData, "Saves/Navezgane", played.game))).toEqual(saved.game);
});

test("restore refuses a game of which nobody knows the world, and one whose name and archive disagree", async () => {
  const { target, files, point } = await backedUp({ withWorld: false });
  const { label: _, facts: __, ...unnamed } = point;
  await expect(target.stage(files, unnamed)).rejects.toMatchObject({
    code: "target_invalid",
    hint: expect.stringContaining("7dtd-<World>-"),
  });
  await target.rollBack();
  const both = await backedUp();
  await expect(both.target.stage(both.files, { ...both.point, label: "Another" })).rejects.toMatchObject({
    code: "backup_damaged",
  });
});

test("restore of the incumbent's archives, made by tar, without a manifest", async () => {
  const { root, staging, userData, gameFolder, worldFolder, saved, put } = await backedUp();
  const source = join(root, "incumbent");
  await mkdir(source);
  await rename(join(userData, "Saves"), join(source, "Saves"));
  await rename(join(userData, "GeneratedWorlds"), join(source, "GeneratedWorlds"));
  const tar = (kind: string, ...args: string[]) => execFileSync("tar", ["czf", join(staging, kind), ...args]);
  tar("save", "-C", join(source, "Saves", played.world), played.game);
  tar("world", "-C", join(source, "GeneratedWorlds"), played.world);
  const newer = await readTree(join(source, "Saves", played.world, played.game));
  await put({ about: new Map(), facts: {} }, await staged(staging, "save", "world"));
  expect(await readTree(gameFolder)).toEqual(newer);
  expect(await readTree(worldFolder)).toEqual(saved.world);
});

test("restore warns when another game stays beside the restored one", async () => {
  const { userData, put, warnings } = await backedUp();
  await rm(join(userData, "Saves"), { recursive: true });
  await Game.load({ userData, world: "Fresh Valley", game: "Home", seed: 9 });
  await put();
  expect(warnings).toEqual([expect.stringContaining('"Fresh Valley/Home" stays beside')]);
});

test("place() puts both beside production, and touches nothing of it", async () => {
  const { root, userData, saved, target, files, point } = await backedUp();
  const before = await readTree(userData);
  const to = join(root, "look");
  expect(await target.place(files, point, to)).toBe(to);
  expect(await readTree(join(to, "Saves", played.world, played.game))).toEqual(saved.game);
  expect(await readTree(join(to, "GeneratedWorlds", played.world))).toEqual(saved.world);
  expect(await readTree(userData)).toEqual(before);
  await expect(target.place(files, point, join(userData, "look"))).rejects.toMatchObject({ code: "target_invalid" });
});

test("stage() notices an archive that is not the one of the manifest, or another one when it is read a second time", async () => {
  const { target, files, point, userData } = await backedUp();
  const before = await readTree(userData);
  const damaged = { code: "backup_damaged", message: expect.stringContaining("the bytes that were unpacked have") };
  const sha256s = new Map([["save", "0".repeat(64)]]);
  await expect(target.stage(files, { ...point, sha256s })).rejects.toMatchObject(damaged);
  await target.rollBack();

  const save = files.get("save") as ReadBack;
  let asked = 0;
  const wavering: ReadBack = { ...save, sha256: async () => `read ${++asked}` };
  await expect(target.stage(new Map([...files, ["save", wavering]]), point)).rejects.toMatchObject(damaged);
  await target.rollBack();
  expect(await readTree(userData)).toEqual(before);
});

test("present() tells which game there is, its day, size and last change; or that there is none", async () => {
  const { userData, target, game, ctx } = await backedUp();
  const identity = (await backup.examine(ctx)).identity;
  expect(await target.present()).toMatchObject({
    label: `game "${played.game}" in "${played.world}", day 3`,
    sizeBytes: expect.any(Number),
    changedAtMs: expect.any(Number),
    identity: { id: identity?.id },
  });
  await Game.load({ ...game.options, world: "Second Valley" });
  expect(await target.present()).toEqual({ label: "several games" });
  await rm(join(userData, "Saves"), { recursive: true });
  expect(await target.present()).toBeUndefined();
});

test("beforeStop() tells the players and gives them time, but waits for nobody", async () => {
  const given = await lab();
  const { port } = await withConsole(given.game);
  await writeFile(join(given.root, "password"), "secret\n");
  const telnet = { host: "127.0.0.1", port, passwordFile: join(given.root, "password"), timeoutSeconds: 5 };
  const ctx = { ...given.ctx, settings: { ...given.ctx.settings, telnet, warnSeconds: 0.05 } };
  await restore.beforeStop?.({ ...ctx, settings: { ...ctx.settings, warnSeconds: 600 } });
  expect(given.game.said).toEqual([]);
  given.game.players.push("Ada");
  const phases: string[] = [];
  await restore.beforeStop?.({ ...ctx, progress: (phase) => void phases.push(phase) });
  expect(given.game.said).toEqual(["The server stops in 0.05 s: a backup is being restored."]);
  expect(phases).toEqual(["giving the players 0.05 s"]);
  expect(given.steps).toContain("warn the players");
});
