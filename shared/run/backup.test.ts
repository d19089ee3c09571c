import { mkdir, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import type { AppType, BackupApp, RunContext, Source } from "../app.ts";
import { Disk } from "../disk.ts";
import { historyNaming } from "../nas/naming.ts";
import type { AppFolders } from "../nas/nas.ts";
import { listPoints } from "../nas/points.ts";
import { contentChecksum } from "../source/checksum.ts";
import { treeFingerprint } from "../source/tree-fingerprint.ts";
import { createStep, type Step } from "../step.ts";
import {
  boxContext,
  boxRun,
  describeRun,
  makeNas,
  readTree,
  stepsOf,
  stopDeadAt,
  tempFolder,
  writeTree,
} from "../testing.ts";
import type { PointsRun } from "./app-run.ts";
import { runBackup } from "./backup.ts";
import { mend } from "./mend.ts";
import { runPin } from "./pin.ts";
import type { AppState } from "./state.ts";

const kinds = ["letter", "atlas"] as const;
const artefacts = kinds.map((kind) => ({
  kind,
  latest: `latest-${kind}.txt`,
  naming: historyNaming({ prefix: "box-", suffix: `-${kind}.txt`, join: "-", labelled: true }),
}));

interface Desk {
  folders: AppFolders;
  source: string;
  state: AppState;
  now: number;
  stops: boolean;
  events: string[];
  warnings: string[];
}

/** A letter that changes all the time and an atlas that hardly ever does, one folder each; the atlas may be missing. */
const appOf = (desk: Desk): BackupApp<unknown> => ({
  async examine() {
    desk.events.push("examine");
    const there = await readdir(desk.source);
    const looks = await Promise.all(
      kinds
        .filter((kind) => there.includes(kind))
        .map(async (kind) => [kind, (await treeFingerprint(join(desk.source, kind))).fingerprint] as const),
    );
    return { fingerprint: looks.join(), fingerprints: new Map(looks) } satisfies Source;
  },
  stops: async () => desk.stops,
  async capture(_, { fingerprint, fingerprints }: Source, stage) {
    const checksums = new Map<string, string>();
    for (const kind of fingerprints?.keys() ?? []) {
      if (stage.untouched.has(kind)) continue;
      desk.events.push(`read ${kind}`);
      const text = await readFile(join(desk.source, kind, "text"));
      const { sha256, sizeBytes } = await stage.write(kind, [text] as never);
      checksums.set(kind, contentChecksum([{ path: kind, sizeBytes, sha256 }]));
    }
    return {
      takenAtMs: desk.now,
      checksums,
      untouched: stage.untouched,
      label: "Home",
      about: new Map([...checksums.keys()].map((kind) => [kind, { read: kind }])),
      ...(fingerprint !== undefined && { fingerprint }),
      ...(fingerprints && { fingerprints }),
    };
  },
  async verify(files, { about }) {
    desk.events.push(`verify ${[...files.keys()]} ${JSON.stringify([...(about ?? [])])}`);
    return { facts: {} };
  },
});

async function desk(where: "disk" | "memory" = "disk"): Promise<Desk> {
  const { folders } = await makeNas(await tempFolder(where));
  const source = await tempFolder(where);
  await writeTree(source, { "letter/text": "Dear one", "atlas/text": "The world" });
  const now = Date.UTC(2025, 11, 19, 18);
  return { folders, source, state: { version: 1 }, now, stops: false, events: [], warnings: [] };
}

function runOf(desk: Desk, step: Step = createStep()): PointsRun {
  const ctx: RunContext = {
    ...boxContext(step),
    disk: new Disk(step),
    now: () => desk.now,
    warn: (message) => void desk.warnings.push(message),
  };
  const type = {
    type: "box",
    title: "Box",
    artefacts,
    loadBackup: async () => appOf(desk),
    loadRestore: async () => ({
      target: () => ({ recover: async () => ({ action: "nothing" }), asides: async () => [] }),
    }),
  } as unknown as AppType<unknown>;
  const workload = {
    stoppedBy: async () => undefined,
    stop: async () => void desk.events.push("stop"),
    start: async () => void desk.events.push("start"),
    release: async () => {},
  };
  return { ...boxRun(ctx, desk.folders, desk.state), type, workload };
}

async function backUp(at: Desk, step?: Step) {
  at.now += 1000;
  const result = await runBackup(runOf(at, step));
  if (result.state) at.state = result.state;
  return result;
}

const names = (at: Desk) => readdir(at.folders.history).then((files) => files.sort());
const pointsOf = (at: Desk) => listPoints(at.folders, artefacts);

test("runBackup() takes over the file that did not change from the point before, without reading it", async () => {
  const box = await desk();
  await backUp(box);
  box.events = [];
  await writeTree(box.source, { "letter/text": "Dear two" });
  const result = await backUp(box);
  expect(box.events).toEqual(["examine", "read letter", 'verify letter [["letter",{"read":"letter"}]]']);
  expect(result.point?.files.map(({ name }) => name)).toEqual([
    "box-Home-20251219-180002-letter.txt",
    "box-Home-20251219-180001-atlas.txt",
  ]);
  expect(await readTree(box.folders.backups)).toEqual({
    "history/box-Home-20251219-180001-atlas.txt": "The world",
    "history/box-Home-20251219-180001-letter.txt": "Dear one",
    "history/box-Home-20251219-180002-letter.txt": "Dear two",
    "latest-atlas.txt": "The world",
    "latest-letter.txt": "Dear two",
  });
  expect((await pointsOf(box)).map(({ good }) => good)).toEqual([true, true]);
});

test("runBackup() takes over a file that was touched but is the same", async () => {
  const box = await desk();
  await backUp(box);
  await writeTree(box.source, { "letter/text": "Dear two", "atlas/text": "The world" });
  await backUp(box);
  expect((await names(box)).filter((name) => name.includes("atlas"))).toHaveLength(1);
  await writeTree(box.source, { "letter/text": "Dear two", "atlas/text": "The world" });
  expect((await backUp(box)).outcome).toBe("unchanged");
  const [manifest] = (await pointsOf(box)).flatMap((point) => point.manifest ?? []).slice(-1);
  expect(manifest?.files.map(({ about }) => about)).toEqual([{ read: "letter" }, { read: "atlas" }]);
});

test("runBackup() keeps the atlas as long as any letter needs it, and then lets it go", async () => {
  const box = await desk();
  for (let n = 1; n <= 8; n += 1) {
    await writeTree(box.source, { "letter/text": `Dear ${n}` });
    await backUp(box);
  }
  expect((await names(box)).filter((name) => name.includes("atlas"))).toEqual(["box-Home-20251219-180001-atlas.txt"]);
  expect(await pointsOf(box)).toHaveLength(5);
  await writeTree(box.source, { "atlas/text": "Another world" });
  for (let n = 9; n <= 13; n += 1) {
    await writeTree(box.source, { "letter/text": `Dear ${n}` });
    await backUp(box);
  }
  expect((await names(box)).filter((name) => name.includes("atlas"))).toEqual(["box-Home-20251219-180009-atlas.txt"]);
});

test("runBackup() never gives a new file the name of one that outlived its point", async () => {
  const box = await desk();
  const { now } = box;
  for (let n = 1; n <= 7; n += 1) {
    // The clock is set back again and again.
    box.now = now;
    await writeTree(box.source, { "letter/text": `Dear ${n}`, ...(n === 7 && { "atlas/text": "Another world" }) });
    expect((await backUp(box)).outcome).toBe("created");
  }
  expect((await names(box)).filter((name) => name.includes("atlas"))).toHaveLength(2);
});

test("runPin() keeps a shared file with whoever is pinned, and the other points go on counting", async () => {
  const box = await desk();
  await backUp(box);
  await writeTree(box.source, { "letter/text": "Dear two" });
  await backUp(box);
  const pin = (operation: "pin" | "unpin", at: string) => runPin(runOf(box), { operation, at });
  await pin("pin", "20251219-180001");
  expect((await pointsOf(box)).map(({ pinned, good }) => ({ pinned, good }))).toEqual([
    { pinned: true, good: true },
    { pinned: false, good: true },
  ]);
  expect((await backUp(box)).outcome).toBe("unchanged");
  await pin("pin", "20251219-180002");
  await pin("unpin", "20251219-180001");
  expect((await pointsOf(box)).map(({ pinned, good }) => ({ pinned, good }))).toEqual([
    { pinned: false, good: true },
    { pinned: true, good: true },
  ]);
  await pin("unpin", "20251219-180002");
  expect(await readdir(box.folders.pinned)).toEqual([]);
  expect((await backUp(box)).outcome).toBe("unchanged");
});

test("runBackup() does without an artefact that is not there, and no latest of another state stays", async () => {
  const box = await desk();
  await backUp(box);
  await rm(join(box.source, "atlas"), { recursive: true });
  await backUp(box);
  expect((await readdir(box.folders.backups)).sort()).toEqual(["history", "latest-letter.txt"]);
  const points = await pointsOf(box);
  expect(points.map(({ good, files }) => [good, files.length])).toEqual([
    [true, 2],
    [true, 1],
  ]);
  await mkdir(join(box.source, "atlas"));
  await writeFile(join(box.source, "atlas/text"), "The world");
  await backUp(box);
  expect((await readdir(box.folders.backups)).sort()).toEqual(["history", "latest-atlas.txt", "latest-letter.txt"]);
});

test("runBackup() makes the newest point's file again from latest.* when it was cut short, and does not go back to an older point", async () => {
  const box = await desk();
  for (const text of ["one", "two"]) {
    await writeTree(box.source, { "letter/text": `Dear ${text}` });
    await backUp(box);
  }
  const letters = (await names(box)).filter((name) => name.endsWith("-letter.txt"));
  await writeFile(join(box.folders.history, letters.at(-1) as string), "Dea");
  const before = await pointsOf(box);
  expect(before.map(({ good }) => good)).toEqual([true, false]);
  expect((await backUp(box)).outcome).toBe("unchanged");
  expect(box.warnings).toEqual([expect.stringContaining("made again from latest-letter.txt")]);
  expect((await pointsOf(box)).map(({ good }) => good)).toEqual([true, true]);
  expect((await readTree(box.folders.backups))[`history/${letters.at(-1)}`]).toBe("Dear two");
});

test("runBackup() publishes nothing when the copy that becomes latest.* is not what was copied", async () => {
  const box = await desk();
  await backUp(box);
  const before = await readTree(box.folders.backups);
  await writeTree(box.source, { "letter/text": "Dear two" });
  const onStep = async (what: string) => {
    const copy = /^fsync (.*\/letter\.latest)$/.exec(what)?.[1];
    if (copy !== undefined) await writeFile(copy, "Dear twp");
  };
  await expect(backUp(box, createStep({ onStep }))).rejects.toMatchObject({
    code: "nas_write_failed",
    message: expect.stringContaining("letter.latest"),
  });
  expect(await readTree(box.folders.backups)).toEqual(before);
  expect(await readdir(box.folders.staging)).toEqual([]);
});

test("runBackup() gives latest.* and its original in the history one time, each a file of its own", async () => {
  const box = await desk();
  await backUp(box);
  const [letter] = (await names(box)).filter((name) => name.endsWith("-letter.txt"));
  const [latest, original] = await Promise.all(
    ["latest-letter.txt", `history/${letter}`].map((name) => stat(join(box.folders.backups, name))),
  );
  expect(latest?.mtimeMs).toBe(original?.mtimeMs);
  expect(latest?.ino).not.toBe(original?.ino);
  expect([latest?.nlink, original?.nlink]).toEqual([1, 1]);
});

test("runBackup() stops the app only when something may have changed, and looks again once it is down", async () => {
  const box = await desk();
  box.stops = true;
  await backUp(box);
  expect(box.events.slice(0, 3)).toEqual(["examine", "stop", "examine"]);
  expect(box.events.indexOf("start")).toBeLessThan(box.events.findIndex((event) => event.startsWith("verify")));
  box.events = [];
  await backUp(box);
  expect(box.events).toEqual(["examine"]);
});

test("runBackup() brings the app back when the capture fails", async () => {
  const box = await desk();
  box.stops = true;
  await rm(join(box.source, "letter/text"));
  await expect(backUp(box)).rejects.toThrow("ENOENT");
  expect(box.events).toEqual(["examine", "stop", "examine", "read letter", "start"]);
});

test("runBackup() killed at any step leaves every letter with its atlas", async () => {
  const lay = async () => {
    const box = await desk("memory");
    for (const text of ["one", "two"]) {
      await writeTree(box.source, { "letter/text": `Dear ${text}` });
      await backUp(box);
    }
    await writeTree(box.source, { "letter/text": "Dear three" });
    return box;
  };
  const count = (await stepsOf(async (step) => backUp(await lay(), step))).length;
  for (let at = 1; at <= count; at += 1) {
    const box = await lay();
    await stopDeadAt(at, (step) => backUp(box, step));
    await mend({ ...runOf(box), abandoned: describeRun() });
    await backUp(box);
    const points = await pointsOf(box);
    expect(points.filter(({ good }) => good).length, `after step ${at}`).toBeGreaterThanOrEqual(3);
    const tree = await readTree(box.folders.backups);
    expect(tree["latest-letter.txt"]).toBe("Dear three");
    expect(tree["latest-atlas.txt"]).toBe("The world");
    for (const { manifest } of points) {
      for (const { name } of manifest?.files ?? []) expect(tree[`history/${name}`], `after step ${at}`).toBeDefined();
    }
  }
});
