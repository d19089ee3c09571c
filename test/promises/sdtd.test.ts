import { execFile, execFileSync } from "node:child_process";
import {
  appendFile,
  mkdir,
  open,
  readdir,
  readFile,
  rename,
  rm,
  stat,
  symlink,
  truncate,
  utimes,
  writeFile,
} from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { crc32 } from "node:zlib";
import { beforeEach, expect, onTestFinished, test } from "vitest";
import { freePort } from "../../deploy/local/lab/free-port.ts";
import { Game } from "../../deploy/local/lab/sdtd/game.ts";
import { readTtw } from "../../deploy/local/lab/sdtd/main-ttw.ts";
import { app } from "../../functions/sdtd/app.ts";
import { connectTelnet } from "../../functions/sdtd/telnet.ts";
import { crc32Text } from "../../shared/crc32.ts";
import { openNas } from "../../shared/nas/nas.ts";
import { listPoints, manifestPath, type RestorePoint } from "../../shared/nas/points.ts";
import type { RunRequest } from "../../shared/run/description.ts";
import { readTree, tempFolder } from "../../shared/testing.ts";
import { contentHash } from "../crash/nas-checks.ts";
import { carry } from "../worlds/run.ts";
import { beginAnew, configure, layLab, places, play, played, serverArgs } from "../worlds/sdtd.ts";

const exec = promisify(execFile);

let folder: string;
beforeEach(async () => {
  folder = await tempFolder();
  await layLab(folder);
});

const run = (
  request: Partial<RunRequest> & { operation: RunRequest["operation"] },
  options: Parameters<typeof carry>[3] = {},
) =>
  carry(
    places(folder).config,
    "sdtd",
    {
      ...(request.operation === "backup" || request.operation === "restore" ? { allow: [] } : {}),
      ...request,
    } as RunRequest,
    options,
  );
const backUp = (options: Parameters<typeof carry>[3] = {}) => run({ operation: "backup" }, options);
const points = () => listPoints(openNas(places(folder).nas).app("sdtd"), app.artefacts);
const history = async () => (await readdir(join(places(folder).backups, "history"))).sort();
const worlds = async () => (await history()).filter((name) => name.endsWith("-world.tar.gz"));
const timeOf = async () => readTtw(await readFile(join(places(folder).gameFolder, "main.ttw"))).worldTime;
/** What an archive holds, as tar reads it. */
const listed = (path: string) => execFileSync("tar", ["tzf", path], { encoding: "utf8" }).trim().split("\n");
const damageRegion = async () => {
  const regions = join(places(folder).gameFolder, "Region");
  const file = await open(join(regions, (await readdir(regions))[0] as string), "r+");
  await file.write("XXXX", 12_288 + 16);
  await file.close();
};

test("a backup is the incumbent's two archives, twice, and any tar reads them", async () => {
  await play(folder);
  const now = () => Date.UTC(2025, 11, 19, 18, 0, 0);
  const { outcome, told } = await backUp({ now });
  expect(outcome).toMatchObject({ outcome: "created", pointCount: 1, warnings: [] });
  const { backups } = places(folder);
  expect(await history()).toEqual([
    "7dtd-West Wikibi Territory-20251219-180000-world.tar.gz",
    "7dtd-West Wikibi Territory-20251219-180000.tar.gz",
  ]);
  expect((await readdir(backups)).sort()).toEqual(["history", "latest-world.tar.gz", "latest.tar.gz"]);
  const [world, save] = await history();
  expect(await contentHash(join(backups, "latest.tar.gz"))).toBe(
    await contentHash(join(backups, "history", save as string)),
  );
  expect(await contentHash(join(backups, "latest-world.tar.gz"))).toBe(
    await contentHash(join(backups, "history", world as string)),
  );
  expect(listed(join(backups, "latest.tar.gz"))).toContain("FoundationRWG/main.ttw");
  expect(listed(join(backups, "latest-world.tar.gz"))).toContain("West Wikibi Territory/dtm.raw");
  expect((await stat(join(backups, "latest.tar.gz"))).mtimeMs).toBe(now());
  expect(told.map(({ subject, data }) => [subject, data.outcome])).toEqual([["backups.completed", "created"]]);
  expect((await points())[0]?.manifest).toMatchObject({
    facts: { ...played, regions: 2, chunks: 8, players: 1 },
    identity: { label: expect.stringContaining('game "FoundationRWG" in "West Wikibi Territory"') },
  });
});

test("nothing is written when nobody played, although the server saved its header again", async () => {
  const game = await play(folder);
  await backUp();
  await game.saveWorld();
  const { outcome, steps } = await backUp();
  expect(outcome).toMatchObject({ outcome: "unchanged", pointCount: 1 });
  expect(steps.filter((step) => /staging\/test|history/.test(step))).toEqual([]);
});

test("the world is written once, and not read again as long as nobody touches it", async () => {
  await play(folder);
  await backUp();
  await play(folder);
  const { outcome, steps } = await backUp();
  expect(outcome).toMatchObject({ outcome: "created", pointCount: 2 });
  expect(await worlds()).toHaveLength(1);
  expect(steps.filter((step) => step.includes("world"))).toEqual([]);
  // Touched, but the same: read again, and the archive that is there is used.
  const { worldFolder } = places(folder);
  await utimes(join(worldFolder, "dtm.raw"), 1000, 1000);
  await play(folder);
  expect((await backUp()).outcome.outcome).toBe("created");
  expect(await worlds()).toHaveLength(1);
  await appendFile(join(worldFolder, "prefabs.xml"), "\n");
  expect((await backUp()).outcome.outcome).toBe("created");
  expect(await worlds()).toHaveLength(2);
});

test("a world's archive lives as long as a kept save needs it, and goes with the last one", async () => {
  await play(folder);
  await backUp();
  const [first] = await worlds();
  for (const _ of [1, 2, 3]) {
    await play(folder);
    expect((await backUp()).outcome.outcome).toBe("created");
  }
  expect(await worlds()).toEqual([first]);
  expect(await history()).toHaveLength(3);
  expect((await points()).map(({ good, files }) => [good, files.length])).toEqual([
    [true, 2],
    [true, 2],
  ]);
  for (const _ of [1, 2]) {
    await appendFile(join(places(folder).worldFolder, "prefabs.xml"), "\n");
    await play(folder);
    await backUp();
  }
  expect(await worlds()).not.toContain(first);
  expect(await history()).toHaveLength(4);
});

test("a damaged region is not published, prunes nothing, and its file and slot are named (a useless archive was called a success elsewhere)", async () => {
  for (const _ of [1, 2]) {
    await play(folder);
    await backUp();
  }
  const before = await history();
  await play(folder);
  await damageRegion();
  const { outcome, told } = await backUp();
  expect(outcome).toMatchObject({ outcome: "refused", failure: { code: "source_invalid" } });
  expect(outcome.message).toMatch(/FoundationRWG\/Region\/r\..*\.7rg: slot \d+:/);
  expect(await history()).toEqual(before);
  expect(told.map(({ subject }) => subject)).toEqual(["backups.refused"]);
});

test("an emptied folder is refused, and the good copies stay (an empty volume pushed out good snapshots elsewhere)", async () => {
  await play(folder);
  await backUp();
  await rm(join(places(folder).gameFolder, "Region"), { recursive: true });
  expect((await backUp()).outcome).toMatchObject({ outcome: "refused", failure: { code: "source_empty" } });
  await rm(places(folder).gameFolder, { recursive: true });
  expect((await backUp()).outcome).toMatchObject({ failure: { code: "source_empty" } });
  await rm(places(folder).userData, { recursive: true });
  expect((await backUp()).outcome).toMatchObject({ failure: { code: "source_missing" } });
  expect(await history()).toHaveLength(2);
});

test("a game that lost most of its land is refused, however big its world is, until ALLOW=smaller", async () => {
  await play(folder, 60, { size: { regions: 4, chunksPerRegion: 60, chunkBytes: 40_000, players: 1 } });
  await backUp();
  const regions = join(places(folder).gameFolder, "Region");
  for (const name of (await readdir(regions)).slice(1)) await rm(join(regions, name));
  expect((await backUp()).outcome).toMatchObject({ outcome: "refused", failure: { code: "source_smaller" } });
  expect((await run({ operation: "backup", allow: ["smaller"] })).outcome.outcome).toBe("created");
});

test("a new game of the same name is refused, run after run, until it is accepted, or the old one is restored", async () => {
  await play(folder);
  await backUp();
  await beginAnew(folder);
  for (const _ of [1, 2]) {
    expect((await backUp()).outcome).toMatchObject({ outcome: "refused", failure: { code: "source_replaced" } });
  }
  expect((await run({ operation: "restore" })).outcome.outcome).toBe("restored");
  expect((await backUp()).outcome.failure).toBeUndefined();
  await beginAnew(folder, { world: true });
  expect((await backUp()).outcome.failure?.code).toBe("source_replaced");
  expect((await run({ operation: "accept" })).outcome.outcome).toBe("accepted");
  expect((await backUp()).outcome.outcome).toBe("created");
});

test("of two games none is chosen, and both are named (a folder was chosen at random elsewhere)", async () => {
  await play(folder);
  await backUp();
  await Game.load({ userData: places(folder).userData, world: "Old Valley", game: "Test", seed: 3 });
  const { outcome } = await backUp();
  expect(outcome).toMatchObject({ outcome: "failed", failure: { code: "invalid_config" } });
  expect(outcome.message).toContain('"Old Valley/Test", "West Wikibi Territory/FoundationRWG"');
  await configure(folder, { world: played.world });
  expect((await backUp()).outcome.outcome).toBe("unchanged");
});

test("a restore brings back game and world, leaves the rest alone, and its undo brings back what was there", async () => {
  const { userData, gameFolder } = places(folder);
  await play(folder);
  await mkdir(join(userData, "Saves"), { recursive: true });
  await writeFile(join(userData, "Saves/serveradmin.xml"), "<adminTools/>");
  await backUp();
  const [wanted, wantedTime] = [await readTree(gameFolder), await timeOf()];
  await play(folder, 5000);
  const later = await timeOf();
  const { outcome, steps } = await run({ operation: "restore" });
  expect(outcome).toMatchObject({ outcome: "restored", warnings: [] });
  // Its server started over it, which saves nothing that counts, and goes on from there.
  expect((await readTree(gameFolder))["Region/r.-1.-1.7rg"]).toEqual(wanted["Region/r.-1.-1.7rg"]);
  expect(await timeOf()).toBe(wantedTime);
  expect(await readFile(join(userData, "Saves/serveradmin.xml"), "utf8")).toBe("<adminTools/>");
  expect(steps.some((step) => step.startsWith("rename") && step.includes("GeneratedWorlds"))).toBe(true);
  expect((await run({ operation: "undo" })).outcome.outcome).toBe("undone");
  expect(await timeOf()).toBe(later);
});

test("a restore tells the players, stops the server, and it goes on with the restored game", async () => {
  const game = await play(folder);
  await backUp();
  const wanted = await timeOf();
  const port = await freePort();
  const passwordFile = join(folder, "server/telnet-password");
  await exec(process.execPath, serverArgs(folder, "start", port));
  onTestFinished(async () => void (await exec(process.execPath, serverArgs(folder, "stop", port))));
  const password = (await readFile(passwordFile, "utf8")).trim();
  const telnet = await connectTelnet({ host: "127.0.0.1", port, password, timeoutMs: 10_000 });
  for (const line of ["join Ada", "play 900", "saveworld"]) await telnet.command(line);
  telnet.close();
  await configure(folder, { telnet: { port, passwordFile, timeoutSeconds: 10 }, warnSeconds: 0.1 });
  const { outcome, steps } = await run({ operation: "restore" });
  expect(outcome).toMatchObject({ outcome: "restored", warnings: [] });
  expect(steps).toContain("warn the players");
  expect(await timeOf()).toBe(wanted);
  expect(readTtw(await readFile(join(places(folder).gameFolder, "main.ttw"))).guid).toBe(game.state.guid);
  // Rejects when it does not run.
  await exec(process.execPath, serverArgs(folder, "status"));
});

test("a damaged backup is found before the app is touched (a restore deleted the world first elsewhere)", async () => {
  await play(folder);
  await backUp();
  const before = await readTree(places(folder).userData);
  for (const name of await history()) {
    const path = join(places(folder).backups, "history", name);
    const { size } = await stat(path);
    await truncate(path, size - 1000);
    const { outcome, steps } = await run({ operation: "restore" });
    expect(outcome.failure?.code).toMatch(/backup_damaged|not_found/);
    expect(steps.filter((step) => step.includes("UserData"))).toEqual([]);
  }
  expect(await readTree(places(folder).userData)).toEqual(before);
});

/** Another time in the header of the newest save's gzip member: every size and checksum inside it stays right. */
async function alterNewestSave(): Promise<Buffer> {
  const path = (await points()).at(-1)?.files.find(({ kind }) => kind === "save")?.path as string;
  const bytes = await readFile(path);
  bytes[4] = (bytes[4] as number) ^ 1;
  await writeFile(path, bytes);
  return bytes;
}
/** What the newest manifest says of its save from now on. */
async function sayOfNewestSave(other: { crc32: string | undefined }): Promise<void> {
  const { id, manifest } = (await points()).at(-1) as RestorePoint;
  const files = manifest?.files.map((file) => (file.kind === "save" ? { ...file, ...other } : file));
  await writeFile(manifestPath(openNas(places(folder).nas).app("sdtd"), id), JSON.stringify({ ...manifest, files }));
}

test("an archive with other bytes is found before anything of it is unpacked, also by a manifest without CRC-32", async () => {
  await play(folder);
  await backUp();
  const bytes = await alterNewestSave();
  expect((await points()).at(-1)?.manifest?.files[0]?.crc32).toMatch(/^[0-9a-f]{8}$/);
  const found = ["crc32", "sha256"];
  for (const sum of found) {
    const { outcome, steps } = await run({ operation: "restore" });
    expect(outcome.failure).toMatchObject({ code: "backup_damaged", message: expect.stringContaining(`${sum} `) });
    expect(outcome.message).toContain(sum === "crc32" ? `is ${crc32Text(crc32(bytes))}` : "is wanted");
    expect(steps.filter((step) => step.includes("UserData"))).toEqual([]);
    await sayOfNewestSave({ crc32: undefined });
  }
});

test("an archive whose bytes only sha256 tells from the right ones is found once it is unpacked: nothing is put in place, the app runs on", async () => {
  await play(folder);
  await backUp();
  await play(folder, 500);
  await sayOfNewestSave({ crc32: crc32Text(crc32(await alterNewestSave())) });
  await exec(process.execPath, serverArgs(folder, "start"));
  onTestFinished(async () => void (await exec(process.execPath, serverArgs(folder, "stop"))));
  const { userData } = places(folder);
  const before = await readTree(userData);
  const damaged = { code: "backup_damaged", message: expect.stringMatching(/sha256 \w{64} is wanted, .* have \w{64}/) };

  const { outcome, steps } = await run({ operation: "restore" });
  expect(outcome.failure).toMatchObject(damaged);
  expect(steps.some((step) => step.includes("UserData/.keepsake/restore/new/Saves"))).toBe(true);
  expect(steps.filter((step) => /^(stop|start|rename .*restore\/new)/.test(step))).toEqual([]);
  expect(await readTree(userData)).toEqual(before);
  expect(await readdir(join(userData, ".keepsake"))).toEqual([]);

  const to = join(folder, "look");
  expect((await run({ operation: "restore", to })).outcome.failure).toMatchObject(damaged);
  expect(await readdir(to)).toEqual([]);

  expect((await run({ operation: "drill" })).outcome.failure).toMatchObject(damaged);
  expect((await points()).at(-1)).toMatchObject({ good: false });
  expect(await readTree(userData)).toEqual(before);
});

test("a hostile archive is refused before anything of it is unpacked", async () => {
  await play(folder);
  const { backups, userData } = places(folder);
  const before = await readTree(userData);
  const evil = join(folder, "evil");
  await mkdir(join(evil, "Home/Region"), { recursive: true });
  await writeFile(join(evil, "Home/main.ttw"), await readFile(join(places(folder).gameFolder, "main.ttw")));
  await mkdir(join(backups, "history"), { recursive: true });
  const name = `7dtd-${played.world}-20251201-060000.tar.gz`;
  const path = join(backups, "history", name);
  const archives: (() => Promise<unknown>)[] = [
    async () => {
      await symlink("/etc", join(evil, "Home/Region/x"));
      await exec("tar", ["czf", path, "-C", evil, "Home"]);
    },
    () => exec("tar", ["czf", path, "-P", "--transform", "s,^Home,Home/../../..,", "-C", evil, "Home"]),
    () => exec("tar", ["czf", path, "-P", join(evil, "Home")]),
  ];
  for (const make of archives) {
    await rm(path, { force: true });
    await make();
    const { outcome, steps } = await run({ operation: "restore", at: name });
    expect(outcome).toMatchObject({ outcome: "refused", failure: { code: "backup_hostile" } });
    expect(steps.filter((step) => step.includes("UserData"))).toEqual([]);
    await rm(join(evil, "Home/Region/x"), { force: true });
  }
  expect(await readTree(userData)).toEqual(before);
});

/** What the incumbent's job leaves: archives made by tar, without a manifest. */
async function incumbent(day: string, { world = true } = {}) {
  const { backups, gameFolder, worldFolder } = places(folder);
  const history = join(backups, "history");
  await mkdir(history, { recursive: true });
  const name = `7dtd-${played.world}-202512${day}-060000`;
  await exec("tar", ["czf", join(history, `${name}.tar.gz`), "-C", join(gameFolder, ".."), played.game]);
  if (world)
    await exec("tar", ["czf", join(history, `${name}-world.tar.gz`), "-C", join(worldFolder, ".."), played.world]);
  const at = Date.UTC(2025, 11, Number(day), 6) / 1000;
  for (const file of (await readdir(history)).filter((file) => file.startsWith(name)))
    await utimes(join(history, file), at, at);
  return `${name}.tar.gz`;
}

test("the incumbent's files are listed, restored from and pruned, and its game is what the first backup is compared with", async () => {
  await play(folder);
  for (const day of ["01", "02", "03"]) await incumbent(day);
  await rename(places(folder).userData, join(folder, "old"));
  await play(folder, 60, { seed: 5 });
  expect((await backUp()).outcome).toMatchObject({ failure: { code: "source_replaced" } });
  await rm(places(folder).userData, { recursive: true });
  await rename(join(folder, "old"), places(folder).userData);
  await play(folder);
  const { outcome } = await backUp();
  expect(outcome.failure).toBeUndefined();
  expect(outcome.outcome).toBe("created");
  expect(outcome.removed?.sort()).toEqual(
    ["01", "02"].flatMap((day) => [
      `7dtd-${played.world}-202512${day}-060000-world.tar.gz`,
      `7dtd-${played.world}-202512${day}-060000.tar.gz`,
    ]),
  );
  const restored = await run({ operation: "restore", at: `7dtd-${played.world}-20251203-060000.tar.gz` });
  expect(restored.outcome.outcome).toBe("restored");
  expect(restored.outcome.warnings.join()).toContain("no checksum of it is known");
});

test("a save of the incumbent's without its world is refused when the world is nowhere (it was put under a made-up name elsewhere)", async () => {
  await play(folder);
  const name = await incumbent("01", { world: false });
  expect((await run({ operation: "restore", at: name })).outcome.outcome).toBe("restored");
  const { worldFolder, gameFolder } = places(folder);
  await rename(worldFolder, join(folder, "world"));
  const before = await timeOf();
  const { outcome } = await run({ operation: "restore", at: name });
  expect(outcome).toMatchObject({ outcome: "refused", failure: { code: "target_invalid" } });
  expect(outcome.message).toContain(played.world);
  expect(await timeOf()).toBe(before);
  expect(await readdir(join(gameFolder, "../.."))).not.toContain("DefaultRWG");
});

test("TO= puts game and world beside production", async () => {
  await play(folder);
  await backUp();
  const before = await readTree(places(folder).userData);
  const to = join(folder, "look");
  const { outcome } = await run({ operation: "restore", to });
  expect(outcome).toMatchObject({ outcome: "restored", restoredTo: to });
  expect(await readTree(to)).toEqual(before);
  expect(await readTree(places(folder).userData)).toEqual(before);
});

test("a game that is played during the backup is saved whole, and what came later is in the next one", async () => {
  const game = await play(folder, 60, { size: { regions: 3, chunksPerRegion: 40, chunkBytes: 60_000, players: 2 } });
  let disturbed = 0;
  const { outcome } = await backUp({
    onStep: async (what) => {
      if (!what.startsWith("write the rest") || !what.endsWith("/save") || disturbed++ > 0) return;
      game.play(600);
      await game.saveWorld();
    },
  });
  expect(outcome).toMatchObject({ outcome: "created", warnings: [] });
  expect(disturbed).toBe(2);
  game.play(600);
  await game.saveWorld();
  expect((await backUp()).outcome).toMatchObject({ outcome: "created", pointCount: 2 });
});
