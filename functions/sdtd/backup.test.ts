import { execFileSync } from "node:child_process";
import { appendFile, cp, mkdir, open, readdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { Game } from "../../deploy/local/lab/sdtd/game.ts";
import { makeWorld } from "../../deploy/local/lab/sdtd/make-world.ts";
import { lab, withConsole } from "../../deploy/local/lab/sdtd/testing.ts";
import type { Facts } from "../../shared/app.ts";
import { readTree, verifyOptions } from "../../shared/testing.ts";
import { backup } from "./backup.ts";
import { folderStage, played, staged } from "./testing.ts";

type Lab = Awaited<ReturnType<typeof lab>>;

async function captured({ ctx, stage }: Pick<Lab, "ctx" | "stage">) {
  const source = await backup.examine(ctx);
  return { source, capture: await backup.capture(ctx, source, stage) };
}
const prove = async (
  { staging }: Pick<Lab, "staging">,
  kinds = ["save", "world"],
  about: ReadonlyMap<string, Facts> = new Map(),
) => backup.verify(await staged(staging, ...kinds), { ...verifyOptions(), about });
const firstRegion = async ({ gameFolder }: Pick<Lab, "gameFolder">) =>
  join(gameFolder, "Region", (await readdir(join(gameFolder, "Region")))[0] as string);

async function spoil(path: string, at: number, bytes: string) {
  const file = await open(path, "r+");
  await file.write(bytes, at);
  await file.close();
}

test("backup takes the game and its world in the incumbent's layout, byte by byte, and proves both", async () => {
  const given = await lab();
  const { source, capture } = await captured(given);
  for (const [kind, root, folder] of [
    ["save", played.game, given.gameFolder],
    ["world", played.world, given.worldFolder],
  ] as const) {
    const out = join(given.root, `out-${kind}`);
    await mkdir(out);
    execFileSync("tar", ["xzf", join(given.staging, kind), "-C", out]);
    expect(await readdir(out)).toEqual([root]);
    expect(await readTree(join(out, root))).toEqual(await readTree(folder));
  }
  expect(capture).toMatchObject({ label: played.world, facts: played, fingerprint: source.fingerprint });
  const { facts, identity, sizeBytes } = await prove(given, ["save", "world"], capture.about as Map<string, Facts>);
  expect(facts).toMatchObject({ ...played, regions: 2, chunks: 8, players: 1, gameVersion: "V 2.5 (b32)", day: 1 });
  expect(identity?.id).toBe(source.identity?.id);
  expect(sizeBytes).toBe(source.sizeBytes);
  expect(given.warnings).toEqual([]);
});

test("verify() needs no index of blocks, and believes none that is not one", async () => {
  const given = await lab();
  await captured(given);
  expect((await prove(given)).facts).toMatchObject(played);
  expect((await prove(given, ["save"], new Map([["save", { blocks: "all" }]]))).facts).toMatchObject({ regions: 2 });
});

test("examine() has the game save first, and takes its state of now", async () => {
  const given = await lab();
  const { port } = await withConsole(given.game);
  await writeFile(join(given.root, "password"), "secret\n");
  const telnet = { host: "127.0.0.1", port, passwordFile: join(given.root, "password"), timeoutSeconds: 5 };
  const ctx = { ...given.ctx, settings: { ...given.ctx.settings, telnet } };
  given.game.play(3000);
  await captured({ ...given, ctx });
  expect((await prove(given)).facts).toMatchObject({ day: 3 });
  expect(given.steps).toContain("send saveworld to the game");
  expect(given.warnings).toEqual([]);
});

test("examine() warns when the game could not be told to save, refuses a wrong password, and misses a password file", async () => {
  const given = await lab();
  const { port, close } = await withConsole(given.game);
  const passwordFile = join(given.root, "password");
  const settings = { ...given.ctx.settings, telnet: { host: "127.0.0.1", port, passwordFile, timeoutSeconds: 5 } };
  const ctx = { ...given.ctx, settings };
  await expect(backup.examine(ctx)).rejects.toMatchObject({ code: "invalid_config" });
  await writeFile(passwordFile, "wrong\n");
  await expect(backup.examine(ctx)).rejects.toMatchObject({
    code: "source_unreachable",
    hint: expect.stringContaining("TelnetPassword"),
  });
  await close();
  await writeFile(passwordFile, "secret\n");
  expect((await backup.examine(ctx)).found.game).toBe(played.game);
  expect(given.warnings).toEqual([expect.stringContaining("ECONNREFUSED")]);
});

test("examine() warns of the console of another game", async () => {
  const given = await lab();
  const other = await Game.load({ userData: join(given.root, "Other"), world: "Old Valley", game: "Other" });
  const { port } = await withConsole(other, "");
  await writeFile(join(given.root, "password"), "");
  const telnet = { host: "127.0.0.1", port, passwordFile: join(given.root, "password"), timeoutSeconds: 5 };
  await backup.examine({ ...given.ctx, settings: { ...given.ctx.settings, telnet } });
  expect(given.warnings).toEqual([expect.stringContaining('"Old Valley/Other" is played')]);
});

test("a backup is unchanged although the game saved its header again, and changed once somebody played", async () => {
  const given = await lab();
  const first = await captured(given);
  await given.game.saveWorld();
  const second = await captured(given);
  expect(second.source.fingerprint).toBe(first.source.fingerprint);
  expect(second.capture.checksums).toEqual(first.capture.checksums);
  given.game.play(60);
  await given.game.saveWorld();
  const third = await captured(given);
  expect(third.source.fingerprints?.get("save")).not.toBe(first.source.fingerprints?.get("save"));
  expect(third.source.fingerprints?.get("world")).toBe(first.source.fingerprints?.get("world"));
  expect(third.capture.checksums.get("save")).not.toBe(first.capture.checksums.get("save"));
  expect(third.capture.checksums.get("world")).toBe(first.capture.checksums.get("world"));
});

test("capture() does not read a world again that is untouched", async () => {
  const given = await lab();
  const source = await backup.examine(given.ctx);
  const capture = await backup.capture(given.ctx, source, folderStage(given.ctx, given.staging, ["world"]));
  expect(await readdir(given.staging)).toEqual(["save"]);
  expect([...capture.checksums.keys()]).toEqual(["save"]);
  expect(capture.untouched).toEqual(new Set(["world"]));
  expect(capture.fingerprint).toBe(source.fingerprint);
});

test("a game in a world that comes with the game is a save only", async () => {
  const given = await lab();
  await rename(join(given.userData, "Saves", played.world), join(given.userData, "Saves", "Navezgane"));
  await rm(given.worldFolder, { recursive: true });
  const { capture } = await captured(given);
  expect(await readdir(given.staging)).toEqual(["save"]);
  expect(capture.label).toBe("Navezgane");
  expect((await prove(given, ["save"])).facts).toMatchObject({ game: played.game });
});

test("the identity stays while it is played, and is another one for a new game and for a world made again", async () => {
  const given = await lab();
  const id = async () => (await backup.examine(given.ctx)).identity?.id;
  const first = await id();
  given.game.play(5000);
  await given.game.saveWorld();
  expect(await id()).toBe(first);
  await cp(given.worldFolder, join(given.root, "world"), { recursive: true });
  await rm(given.worldFolder, { recursive: true });
  await makeWorld(given.worldFolder, 77);
  expect(await id()).not.toBe(first);
  await rm(given.worldFolder, { recursive: true });
  await rename(join(given.root, "world"), given.worldFolder);
  expect(await id()).toBe(first);
  await rm(given.gameFolder, { recursive: true });
  await Game.load(given.game.options);
  expect(await id()).not.toBe(first);
});

test("examine() refuses a game without regions, and a header that stays cut short", async () => {
  const given = await lab();
  await rm(join(given.gameFolder, "Region"), { recursive: true });
  await expect(backup.examine(given.ctx)).rejects.toMatchObject({ code: "source_empty" });
  await mkdir(join(given.gameFolder, "Region"));
  await writeFile(join(given.gameFolder, "Region/r.0.0.7rg"), "");
  await writeFile(join(given.gameFolder, "main.ttw"), "ttw\0");
  await expect(backup.examine(given.ctx)).rejects.toMatchObject({
    code: "source_invalid",
    hint: expect.stringContaining("main.ttw.bak"),
  });
});

test("verify() names the region file, its slot and the reason (useless archives were called a success elsewhere)", async () => {
  const given = await lab();
  const region = await firstRegion(given);
  await spoil(region, 12_288 + 16, "XXXX");
  await captured(given);
  await expect(prove(given)).rejects.toMatchObject({
    code: "backup_damaged",
    message: expect.stringMatching(/FoundationRWG\/Region\/r\..*\.7rg: slot \d+: its chunk begins with 58585858/),
  });
});

test("verify() names what else is damaged or missing", async () => {
  const cases: [string, (given: Lab) => Promise<unknown>][] = [
    ["players.xml: it does not end", ({ gameFolder }) => writeFile(join(gameFolder, "players.xml"), "<players>")],
    [".ttp: it begins with", ({ gameFolder }) => writeFile(join(gameFolder, "Player/x.ttp"), "nothing")],
    ["dtm.raw, the heights, is missing", ({ worldFolder }) => rm(join(worldFolder, "dtm.raw"))],
    ["map_info.xml: it is empty", ({ worldFolder }) => writeFile(join(worldFolder, "map_info.xml"), "")],
  ];
  for (const [reason, change] of cases) {
    const given = await lab();
    await change(given);
    await captured(given);
    await expect(prove(given), reason).rejects.toMatchObject({
      code: "backup_damaged",
      message: expect.stringContaining(reason),
    });
  }
});

test("verify() misses the land of a game, and its header", async () => {
  const given = await lab();
  const archive = (...what: string[]) =>
    execFileSync("tar", ["czf", join(given.staging, "save"), "-C", join(given.gameFolder, ".."), ...what]);
  archive("--exclude=Region", played.game);
  await expect(prove(given, ["save"])).rejects.toMatchObject({ message: expect.stringContaining("no region file") });
  archive("--exclude=main.ttw", played.game);
  await expect(prove(given, ["save"])).rejects.toMatchObject({
    message: expect.stringContaining("main.ttw is missing"),
  });
});

test("verify() notices archives that are cut short, hold other bytes, or more than one folder", async () => {
  const given = await lab();
  await captured(given);
  const good = await readFile(join(given.staging, "save"));
  await writeFile(join(given.staging, "save"), good.subarray(0, good.length - 500));
  await expect(prove(given)).rejects.toMatchObject({ code: "backup_damaged" });
  const bad = Buffer.from(good);
  bad[Math.floor(bad.length / 2)] = (bad[Math.floor(bad.length / 2)] as number) ^ 0xff;
  await writeFile(join(given.staging, "save"), bad);
  await expect(prove(given)).rejects.toMatchObject({ code: "backup_damaged" });
  for (const name of [".hidden", "second"]) {
    await mkdir(join(given.root, "two", name), { recursive: true });
    await writeFile(join(given.root, "two", name, "notes.txt"), "x");
  }
  execFileSync("tar", ["czf", join(given.staging, "save"), "-C", join(given.root, "two"), "second", ".hidden"]);
  await expect(prove(given)).rejects.toMatchObject({
    code: "backup_hostile",
    message: expect.stringContaining('are "second" and ".hidden"'),
  });
  execFileSync("tar", ["czf", join(given.staging, "save"), "-C", join(given.root, "two"), ".hidden"]);
  await expect(prove(given)).rejects.toMatchObject({ code: "backup_hostile" });
  await expect(prove(given, [])).rejects.toMatchObject({ code: "backup_damaged" });
});

test("changes() tells of another version of the game", () => {
  expect(backup.changes?.({ gameVersion: "V 2.4 (b7)" }, { gameVersion: "V 2.5 (b32)" })).toHaveLength(1);
  expect(backup.changes?.({ gameVersion: "V 2.5 (b32)" }, {})).toEqual([]);
});

test("a backup of a game that is played all the time is sound, and of one moment", async () => {
  const given = await lab();
  let playing = true;
  const player = (async () => {
    while (playing) {
      given.game.play(10);
      await given.game.saveSomeChunks();
      await given.game.saveWorld();
      // Eight times as often as the game does.
      await new Promise((resolve) => setTimeout(resolve, 250));
    }
  })();
  try {
    for (let round = 0; round < 3; round++) {
      const { capture } = await captured(given);
      expect((await prove(given, ["save", "world"], capture.about as Map<string, Facts>)).facts).toMatchObject(played);
    }
  } finally {
    playing = false;
    await player;
  }
  await appendFile(join(given.root, "done"), "");
});
