import { copyFile, readFile, rm, stat, utimes, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { readMarks } from "../nas/damage.ts";
import { listPoints } from "../nas/points.ts";
import { createStep } from "../step.ts";
import { boxArtefact, boxContext, boxRun, describeRun, makeNas, makePoint, stopDeadAt, testDisk } from "../testing.ts";
import { takeLock } from "./lock.ts";
import { ownIdentity } from "./process-identity.ts";
import { runScrub } from "./scrub.ts";
import { readScrubMemory, readScrubState } from "./scrub-state.ts";

const ids = ["20251217-180000", "20251218-180000", "20251219-180000"] as const;

/** Three points, the newest of which is latest.box, too. */
async function lab() {
  const { folders } = await makeNas();
  for (const [index, id] of ids.entries()) await makePoint(folders, id, { sequence: index + 1 });
  const pathOf = (id: string) => join(folders.history, boxArtefact.naming.name(id));
  const latest = join(folders.backups, boxArtefact.latest);
  await copyFile(pathOf(ids[2]), latest);
  let nowMs = Date.parse("2025-12-19T18:00:00Z");
  const scrub = async ({
    all = true,
    step = createStep(),
    signal = new AbortController().signal,
    tickMs = 0,
    onLook = () => {},
  } = {}) => {
    const warnings: string[] = [];
    const now = () => {
      onLook();
      nowMs += tickMs;
      return nowMs;
    };
    const ctx = { ...boxContext(step), signal, now, warn: (text: string) => void warnings.push(text) };
    return { ...(await runScrub(boxRun(ctx, folders), { operation: "scrub", app: "box", all })), warnings };
  };
  const points = async () => (await listPoints(folders, [boxArtefact])).map(({ id, good }) => [id, good]);
  const pass = (ms: number) => {
    nowMs += ms;
  };
  return { folders, pathOf, latest, scrub, points, pass };
}

/** One bit, as a disk loses it: size and times stay. */
async function rot(path: string): Promise<void> {
  const { atime, mtime } = await stat(path);
  const bytes = await readFile(path);
  bytes[0] = (bytes[0] as number) ^ 1;
  await writeFile(path, bytes);
  await utimes(path, atime, mtime);
}

test("runScrub() reads archives and latest.* back, and remembers since when each point is known to be whole", async () => {
  const { folders, scrub } = await lab();
  expect(await scrub()).toMatchObject({
    outcome: "scrubbed",
    message: "Box: 4 of 4 files read back, all of them as they were",
    scrub: { files: 4, totalFiles: 4, allSince: "2025-12-19T18:00:00.000Z", damaged: [], good: [...ids].reverse() },
    warnings: [],
  });
  const { scrubbedAt } = await readScrubState(folders);
  const points = await listPoints(folders, [boxArtefact]);
  expect(points.map(scrubbedAt)).toEqual(ids.map(() => "2025-12-19T18:00:00.000Z"));
});

test("runScrub() reports a rotten file with why and the points that are still good, and it counts for nothing", async () => {
  const { folders, pathOf, scrub, points } = await lab();
  await rot(pathOf(ids[1]));
  expect(await scrub()).toMatchObject({
    outcome: "failed",
    message: expect.stringMatching(
      /^Cannot vouch for "box\/backups\/history\/box-20251218-180000\.box" on the NAS: sha256 \w{64} is wanted, is \w{64}$/,
    ),
    failure: { code: "backup_damaged", hint: expect.stringContaining(`Still good: ${ids[2]}, ${ids[0]}.`) },
    scrub: { good: [ids[2], ids[0]], damaged: [{ file: expect.stringContaining(ids[1]), why: expect.any(String) }] },
  });
  expect(await points()).toEqual([
    [ids[0], true],
    [ids[1], false],
    [ids[2], true],
  ]);
  expect(
    (await readScrubState(folders)).scrubbedAt((await listPoints(folders, [boxArtefact]))[1] as never),
  ).toBeUndefined();
});

test("runScrub() takes a mark back once the file is what it was again, and says so", async () => {
  const { folders, pathOf, scrub, points } = await lab();
  await rot(pathOf(ids[0]));
  await scrub();
  await rot(pathOf(ids[0]));
  const { outcome, warnings } = await scrub();
  expect([outcome, warnings]).toEqual([
    "scrubbed",
    [expect.stringMatching(/box-20251217-180000\.box was damaged, and is what it was again/)],
  ]);
  expect(await points()).toEqual(ids.map((id) => [id, true]));
  expect(await readMarks(folders)).toEqual([]);
});

test("runScrub() forgets the mark of a point that the retention has removed", async () => {
  const { folders, pathOf, scrub } = await lab();
  await rot(pathOf(ids[0]));
  await scrub();
  await rm(pathOf(ids[0]));
  await rm(join(folders.points, `${ids[0]}.json`));
  expect(await scrub()).toMatchObject({ outcome: "scrubbed", scrub: { totalFiles: 3 } });
  expect(await readMarks(folders)).toEqual([]);
});

test("runScrub() reports a file that is missing once, and mentions it from then on", async () => {
  const { pathOf, scrub } = await lab();
  await rm(pathOf(ids[1]));
  expect(await scrub()).toMatchObject({ outcome: "failed", message: expect.stringContaining("it is not there") });
  const { outcome, warnings } = await scrub();
  expect([outcome, warnings]).toEqual(["scrubbed", [expect.stringContaining("is still missing")]]);
});

test("runScrub() leaves latest.* to the next scrub while a backup may be replacing it, but not the history", async () => {
  const { folders, pathOf, latest, scrub, points } = await lab();
  const lock = await takeLock(folders.locks, describeRun(), await ownIdentity(), testDisk());
  await writeFile(latest, "of the point that is being made");
  const meanwhile = await scrub();
  expect(meanwhile).toMatchObject({
    outcome: "scrubbed",
    warnings: [expect.stringContaining("a backup is at work on it")],
  });
  await rot(pathOf(ids[0]));
  expect((await scrub()).outcome).toBe("failed");
  await lock.release();
  expect(await scrub()).toMatchObject({
    outcome: "failed",
    message: expect.stringMatching(/latest\.box|box-20251217/),
  });
  expect((await points())[2], "the point itself is good").toEqual([ids[2], true]);
});

test("runScrub() expects of a file that no manifest knows that it stays as it was, until somebody puts another there", async () => {
  const { folders, scrub } = await lab();
  const path = join(folders.history, "box-20240101-000000.box");
  await writeFile(path, "of the system before");
  await utimes(path, 1_704_067_200, 1_704_067_200);
  expect((await scrub()).outcome).toBe("scrubbed");
  await rot(path);
  expect(await scrub()).toMatchObject({
    outcome: "failed",
    message: expect.stringContaining("box-20240101-000000.box"),
  });
  await writeFile(path, "put there by hand");
  expect((await scrub()).outcome).toBe("scrubbed");
});

test("runScrub() that was killed goes on where it was", async () => {
  const { folders, scrub, pass } = await lab();
  await scrub();
  const readSince = async (ms: number) =>
    Object.values((await readScrubMemory(folders)).files).filter(({ readAtMs = 0 }) => readAtMs > ms).length;
  pass(7 * 86_400_000);
  const weekMs = Date.parse("2025-12-26T18:00:00Z");
  // What it remembers is written every ten seconds, and each look at the clock takes six.
  expect(await stopDeadAt(11, (step) => scrub({ all: false, step, tickMs: 6000 }))).toBe("stopped");
  const done = await readSince(weekMs);
  expect([1, 2, 3]).toContain(done);
  expect(await scrub({ all: false })).toMatchObject({ outcome: "scrubbed", scrub: { files: 4 - done } });
  expect(await readSince(weekMs)).toBe(4);
});

test("runScrub() that was cancelled keeps what it has read", async () => {
  const { folders, scrub, pass } = await lab();
  await scrub();
  pass(7 * 86_400_000);
  const stop = new AbortController();
  let looks = 0;
  const onLook = () => {
    looks += 1;
    if (looks === 8) stop.abort(new Error("cancelled"));
  };
  await expect(scrub({ all: false, signal: stop.signal, onLook })).rejects.toThrow("cancelled");
  const read = Object.values((await readScrubMemory(folders)).files).filter(
    ({ readAtMs = 0 }) => readAtMs >= Date.parse("2025-12-26T18:00:00Z"),
  );
  expect([1, 2, 3]).toContain(read.length);
});
