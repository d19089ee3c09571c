import { execFile } from "node:child_process";
import { mkdir, readdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { expect, onTestFinished, test } from "vitest";
import type { RunContext } from "../app.ts";
import { Disk, isTemporary } from "../disk.ts";
import { Failure, toFailure } from "../failures.ts";
import type { MirrorApp, MirrorType, MirrorUnit } from "../mirror-app.ts";
import { mirrorManifest, mirrorPoints } from "../nas/mirror-points.ts";
import type { AppFolders } from "../nas/nas.ts";
import { treeFingerprint } from "../source/tree-fingerprint.ts";
import { walkFiles } from "../source/walk.ts";
import { createStep, type Step } from "../step.ts";
import { boxContext, boxRun, makeNas, readTree, stepsOf, stopDeadAt, tempFolder, writeTree } from "../testing.ts";
import { runAccept } from "./accept.ts";
import type { MirrorRun } from "./app-run.ts";
import { runMirror } from "./mirror.ts";
import { mirrorTree, verifyMirror } from "./mirror-tree.ts";
import type { AppState } from "./state.ts";

interface Shelf {
  root: string;
  nas: string;
  folders: AppFolders;
  source: string;
  state: AppState;
  warnings: string[];
  stops: "no" | "sync" | "end";
  postponed?: string;
  events: string[];
  /** Called by the app between its looks. */
  meanwhile?: () => Promise<void>;
}

/** Books in folders, and a catalogue that is put in place after them: `<source>/books/<book>/…`, `<source>/catalogue`. */
const appOf = (shelf: Shelf): MirrorApp<unknown> => ({
  async examine() {
    shelf.events.push("examine");
    const { fingerprint, sizeBytes } = await treeFingerprint(shelf.source);
    return { fingerprint, sizeBytes, ...(shelf.postponed !== undefined && { postponed: shelf.postponed }) };
  },
  stops: async () => shelf.stops,
  async plan() {
    const books = await readdir(join(shelf.source, "books"));
    const units: MirrorUnit[] = [];
    for (const book of books.sort()) {
      const from = join(shelf.source, "books", book);
      const { fingerprint, sizeBytes } = await treeFingerprint(from);
      units.push({
        kind: "folder",
        path: `books/${book}`,
        fingerprint,
        sizeBytes,
        look: async () => (await treeFingerprint(from)).fingerprint,
        async *files() {
          for await (const file of walkFiles(from)) {
            yield { path: file.path, from: join(from, file.path), sizeBytes: file.sizeBytes };
            await shelf.meanwhile?.();
          }
        },
      });
    }
    const catalogue = Buffer.from(books.join("\n"));
    return {
      units: [
        ...units,
        { kind: "file", path: "catalogue", from: catalogue, sizeBytes: catalogue.length, closes: true },
      ],
      keep: [],
      facts: { books: books.length },
    };
  },
  async cleanup(ctx, { root }) {
    const wanted = (await readFile(join(root, "catalogue"), "utf8")).split("\n");
    const gone = (await readdir(join(root, "books"))).filter((name) => !wanted.includes(name) && !name.startsWith("."));
    for (const name of gone) await ctx.disk.removeTree(join(root, "books", name));
    return gone;
  },
});

async function shelf(where: "disk" | "memory" = "disk"): Promise<Shelf> {
  const { root, folders } = await makeNas(await tempFolder(where));
  const source = await tempFolder(where);
  await writeTree(source, { "books/a/1": "one", "books/a/2": "two", "books/a/sub/3": "three", "books/b/1": "uno" });
  const nas = join(root, "box");
  return { root, nas, folders, source, state: { version: 1 }, warnings: [], stops: "no", events: [] };
}

const typeOf = (shelf: Shelf): MirrorType<unknown> =>
  ({
    type: "box",
    title: "Box",
    mirror: { folder: ".", anchor: "catalogue" },
    loadBackup: async () => appOf(shelf),
  }) as unknown as MirrorType<unknown>;

function runOf(shelf: Shelf, step: Step = createStep(), signal = new AbortController().signal): MirrorRun {
  const ctx: RunContext = {
    ...boxContext(step),
    disk: new Disk(step),
    signal,
    warn: (message) => void shelf.warnings.push(message),
  };
  const workload = {
    stoppedBy: async () => undefined,
    stop: async () => void shelf.events.push("stop"),
    start: async () => void shelf.events.push("start"),
    release: async () => {},
  };
  return { ...boxRun(ctx, shelf.folders, shelf.state), type: typeOf(shelf), workload };
}

async function backUp(shelf: Shelf, step?: Step) {
  const result = await runMirror(runOf(shelf, step));
  if (result.state) shelf.state = result.state;
  return result;
}

const first = {
  "books/a/1": "one",
  "books/a/2": "two",
  "books/a/sub/3": "three",
  "books/b/1": "uno",
  catalogue: "a\nb",
};

async function expectWhole(shelf: Shelf): Promise<void> {
  const [point] = await mirrorPoints(shelf.folders, { folder: ".", anchor: "catalogue" });
  if (!point?.manifest) throw new Error("no point");
  expect(point.good).toBe(true);
  await verifyMirror(runOf(shelf), point);
  const tree = mirrorTree(runOf(shelf), point);
  const listed = [];
  for (const { kind, name } of tree.files) {
    if (kind === "file") listed.push(name);
    else for await (const file of tree.filesOf(name)) listed.push(`${name}/${file.path}`);
  }
  expect(listed.sort()).toEqual(Object.keys(await readTree(shelf.nas)).sort());
}

test("runMirror() copies everything, and then finds it unchanged without reading a file", async () => {
  const box = await shelf();
  expect(await backUp(box)).toMatchObject({ outcome: "created", pointCount: 1 });
  expect(await readTree(box.nas)).toEqual(first);
  await expectWhole(box);
  expect(await backUp(box, createStep({ onStep: (what) => expect.fail(what) }))).toMatchObject({
    outcome: "unchanged",
  });
});

test("runMirror() keeps checksums that sha256sum would take", async () => {
  const box = await shelf();
  await backUp(box);
  const sums = (await readFile(box.folders.sums, "utf8")).trim().split("\n");
  expect(sums.map((line) => line.slice(66))).toEqual(Object.keys(first).map((path) => `box/${path}`));
  expect(sums[0]).toMatch(/^7692c3ad3540bb803c020b3aee66cd8887123234ea0c6e7143c0add73ff431ed {2}box\/books\/a\/1$/);
});

test("runMirror() copies many files on two threads, of whatever sizes, and reads back what has arrived", async () => {
  const box = await shelf("memory");
  const many = join(box.source, "books/many");
  await mkdir(many);
  const sizes = Array.from({ length: 400 }, (_, n) => (n === 99 ? 5_000_000 : n % 50 === 0 ? 900_000 : n * 60));
  await Promise.all(sizes.map((size, n) => writeFile(join(many, `${n}`), Buffer.alloc(size, `${n} `))));
  expect(await backUp(box)).toMatchObject({ outcome: "created" });
  for (const [n, size] of sizes.entries()) {
    const arrived = await readFile(join(box.nas, "books/many", `${n}`));
    expect(arrived.equals(Buffer.alloc(size, `${n} `))).toBe(true);
  }
  await expectWhole(box);
});

test("runMirror() copies a new folder only, and removes what nothing refers to any more", async () => {
  const box = await shelf();
  await backUp(box);
  await writeTree(box.source, { "books/c/1": "un" });
  await rm(join(box.source, "books/b"), { recursive: true });
  const copied: string[] = [];
  const result = await backUp(box, createStep({ onStep: (what) => void copied.push(what) }));
  expect(result).toMatchObject({ outcome: "created", removed: ["b"] });
  expect(copied.filter((what) => what.startsWith("write")).join()).not.toMatch(/books%2Fa/);
  const { "books/b/1": _, ...rest } = first;
  expect(await readTree(box.nas)).toEqual({ ...rest, "books/c/1": "un", catalogue: "a\nc" });
  await expectWhole(box);
});

test("runMirror() brings a folder that it has already up to date, file by file", async () => {
  const box = await shelf();
  await backUp(box);
  await writeTree(box.source, { "books/a/2": "TWO", "books/a/new/4": "four" });
  await rm(join(box.source, "books/a/1"));
  await writeTree(box.nas, { "books/a/.DS_Store": "Finder was here" });
  expect(await backUp(box)).toMatchObject({ outcome: "created" });
  expect(await readTree(join(box.nas, "books/a"))).toEqual({
    ".DS_Store": "Finder was here",
    "2": "TWO",
    "new/4": "four",
    "sub/3": "three",
  });
});

test("runMirror() puts right what somebody did to the NAS", async () => {
  const box = await shelf();
  await backUp(box);
  await writeTree(box.nas, { "books/a/2": "tw0" });
  await rm(join(box.nas, "books/b/1"));
  await backUp(box);
  expect(await readTree(box.nas)).toEqual(first);
  // Also when it is not remembered how it was left: then everything is read.
  await writeTree(box.nas, { "books/a/2": "tw0" });
  box.state = { version: 1 };
  await backUp(box);
  expect(await readTree(box.nas)).toEqual(first);
});

test("runMirror() without its memory reads the NAS once, and finds it unchanged", async () => {
  const box = await shelf();
  await backUp(box);
  box.state = { version: 1 };
  expect(await backUp(box)).toMatchObject({ outcome: "unchanged" });
  expect(await readTree(box.nas)).toEqual(first);
});

test("runMirror() refuses a folder that changes while it is copied, and leaves the NAS as it is", async () => {
  const box = await shelf();
  await backUp(box);
  await writeTree(box.source, { "books/b/2": "due" });
  let left = 1;
  box.meanwhile = async () => {
    if (left-- > 0) await writeTree(box.source, { "books/b/1": "eins" });
  };
  await expect(backUp(box)).rejects.toMatchObject({ code: "source_changing" });
  expect(await readTree(box.nas)).toEqual(first);
  await backUp(box);
  expect(await readTree(join(box.nas, "books/b"))).toEqual({ "1": "eins", "2": "due" });
});

test("runMirror() leaves out a file whose content is not what its name says, with what needs it", async () => {
  const box = await shelf();
  await backUp(box);
  const bad: MirrorUnit = {
    kind: "file",
    path: "x",
    from: Buffer.from("x"),
    sizeBytes: 1,
    sha256: "0".repeat(64),
  };
  const run = runOf(box);
  const app = appOf(box);
  const plan = async (...args: Parameters<typeof app.plan>) => {
    const planned = await app.plan(...args);
    const needy: MirrorUnit = { kind: "file", path: "y", from: Buffer.from("y"), sizeBytes: 1, needs: ["x"] };
    const fine: MirrorUnit = { kind: "file", path: "z", from: Buffer.from("z"), sizeBytes: 1, needs: ["catalogue"] };
    return { ...planned, units: [bad, ...planned.units, needy, fine] };
  };
  await writeTree(box.source, { "books/c/1": "un" });
  const type = { ...typeOf(box), loadBackup: async () => ({ ...app, plan }) };
  const result = await runMirror({ ...run, type: type as MirrorType<unknown> });
  expect(result.outcome).toBe("created");
  expect(Object.keys(await readTree(box.nas))).toEqual(expect.arrayContaining(["books/c/1", "z"]));
  expect(Object.keys(await readTree(box.nas))).not.toContain("y");
  expect(box.warnings).toEqual([
    expect.stringMatching(/damaged and is left out/),
    expect.stringMatching(/"y" is left out/),
  ]);
  expect(result.state?.gate?.source, "the next run tries again").toBeUndefined();
});

test("runMirror() stops the app only when something has to be copied, for as long as the app says", async () => {
  const box = await shelf();
  box.stops = "sync";
  await backUp(box);
  expect(box.events).toEqual(["examine", "stop", "examine", "start"]);
  box.events = [];
  await backUp(box);
  expect(box.events).toEqual(["examine"]);
  await writeTree(box.source, { "books/c/1": "un" });
  box.stops = "end";
  box.events = [];
  await backUp(box, createStep({ onStep: (what) => void box.events.push(what) }));
  const copied = box.events.findIndex((what) => what.includes("books%2Fc to"));
  expect(copied).toBeGreaterThan(0);
  expect(box.events.indexOf("stop")).toBeGreaterThan(copied);
  expect(box.events.indexOf("start")).toBeGreaterThan(box.events.findIndex((what) => what.endsWith("/box/catalogue")));
});

test("runMirror() brings the app back when the copying fails", async () => {
  const box = await shelf();
  box.stops = "sync";
  box.meanwhile = async () => {
    throw new Error("the disk died");
  };
  await expect(backUp(box)).rejects.toThrow("the disk died");
  expect(box.events).toEqual(["examine", "stop", "examine", "start"]);
});

test("runMirror() keeps what it copied when the app does not come back, and says that it did not", async () => {
  const box = await shelf();
  box.stops = "sync";
  const run = runOf(box);
  const start = () => Promise.reject(new Failure("workload_failed", "Cannot start"));
  const failed = runMirror({ ...run, workload: { ...run.workload, start } });
  await expect(failed).rejects.toMatchObject({ code: "workload_failed", message: expect.stringContaining("verified") });
  expect(await readTree(box.nas)).toEqual(first);
  await expectWhole(box);
});

test("runMirror() refuses what has become suspicious once the app is down", async () => {
  const box = await shelf();
  await writeTree(box.source, { "books/a/big": "x".repeat(1000) });
  await backUp(box);
  await writeTree(box.source, { "books/c/1": "un" });
  box.stops = "sync";
  const run = runOf(box);
  const stop = () => rm(join(box.source, "books/a"), { recursive: true });
  await expect(runMirror({ ...run, workload: { ...run.workload, stop } })).rejects.toMatchObject({
    code: "source_smaller",
  });
  expect(Object.keys(await readTree(box.nas))).toContain("books/a/big");
  await expectWhole(box);
});

test("runMirror() is postponed without stopping or copying anything", async () => {
  const box = await shelf();
  box.postponed = "a download is under way";
  box.stops = "sync";
  const untouched = createStep({ onStep: (what) => expect.fail(what) });
  expect(await backUp(box, untouched)).toMatchObject({
    outcome: "postponed",
    message: expect.stringContaining("a download"),
  });
  expect(box.events).toEqual(["examine"]);
});

test("runMirror() that was killed goes on with what it had copied", async () => {
  const box = await shelf();
  const steps = await stepsOf(async (step) => backUp({ ...(await shelf()) }, step));
  const placing = steps.findIndex((what) => what.startsWith("rename") && what.includes("books%2Fa to"));
  await stopDeadAt(placing + 1, (step) => backUp(box, step));
  const again: string[] = [];
  await backUp(box, createStep({ onStep: (what) => void again.push(what) }));
  expect(again.filter((what) => /^write \d+ files .*books%2Fa/.test(what))).toEqual([]);
  expect(await readTree(box.nas)).toEqual(first);
  expect(await readdir(box.folders.hidden)).not.toContain("incoming");
});

test("runMirror() does not take what was copied of an earlier state for the present one", async () => {
  for (const isNew of [true, false]) {
    const box = await shelf("memory");
    if (!isNew) await backUp(box);
    await writeTree(box.source, { "books/a/1": "other", "books/a/2": "deux", "books/a/4": "four" });
    const interrupted = backUp(box, createStep({ onStep: stopBefore("sync the file system") }));
    await expect(interrupted).rejects.toThrow("stopped");
    // One is what stands on the NAS again, one is another one, one is gone.
    await writeTree(box.source, { "books/a/1": "one", "books/a/2": "zwei" });
    await rm(join(box.source, "books/a/4"));
    await backUp(box);
    expect(await readTree(box.nas)).toEqual({ ...first, "books/a/2": "zwei" });
    await expectWhole(box);
    expect((await backUp(box)).outcome).toBe("unchanged");
  }
});

const stopBefore = (what: string) => (step: string) => {
  if (step.startsWith(what)) throw new Error("stopped");
};

test("runMirror() killed at any step leaves whole files only, and the next run completes it", async () => {
  const lay = async () => {
    const box = await shelf("memory");
    await backUp(box);
    await writeTree(box.source, { "books/a/2": "TWO", "books/c/1": "un" });
    await rm(join(box.source, "books/b"), { recursive: true });
    return box;
  };
  const { "books/b/1": _, ...rest } = first;
  const after = { ...rest, "books/a/2": "TWO", "books/c/1": "un", catalogue: "a\nc" };
  const count = (await stepsOf(async (step) => backUp(await lay(), step))).length;
  expect(count).toBeGreaterThan(30);
  for (let at = 1; at <= count; at += 1) {
    const box = await lay();
    await stopDeadAt(at, (step) => backUp(box, step));
    const files = await readTree(box.nas);
    for (const [path, content] of Object.entries(files)) {
      const known = [first, after].map((state) => (state as Record<string, string>)[path]);
      expect(known, `${path} after step ${at}`).toContain(content);
    }
    // Whichever catalogue is there, its books are.
    for (const book of files.catalogue?.split("\n") ?? []) {
      expect(
        Object.keys(files).some((path) => path.startsWith(`books/${book}/`)),
        `${book} after step ${at}`,
      ).toBe(true);
    }
    await backUp(box);
    expect(await readTree(box.nas), `after step ${at}`).toEqual(after);
    await expectWhole(box);
    expect((await mirrorManifest(box.folders))?.facts).toEqual({ books: 2 });
    expect((await readdir(box.folders.points)).filter((name) => !isTemporary(name))).toHaveLength(1);
  }
});

test("mirrorPoints() shows the incumbent's tree as one that nobody vouches for", async () => {
  const { folders, root } = await makeNas();
  await writeTree(root, { "box/catalogue": "a" });
  const [point, ...others] = await mirrorPoints(folders, { folder: ".", anchor: "catalogue" });
  expect(others).toEqual([]);
  expect(point).toMatchObject({ good: false, pinned: false });
  expect(await mirrorPoints(folders, { folder: "backups/models", anchor: "manifests" })).toEqual([]);
});

test("verifyMirror() names what is missing", async () => {
  const box = await shelf();
  await backUp(box);
  await rename(join(box.nas, "books/a/sub"), join(box.source, "away"));
  const [point] = await mirrorPoints(box.folders, { folder: ".", anchor: "catalogue" });
  await expect(verifyMirror(runOf(box), point as never)).rejects.toMatchObject({
    code: "backup_damaged",
    message: expect.stringContaining("books/a/sub/3"),
  });
  await mkdir(join(box.nas, "books/a/sub"));
  await writeFile(join(box.folders.folderSums, (await readdir(box.folders.folderSums))[0] as string), "other");
  await expect(verifyMirror(runOf(box), point as never)).rejects.toMatchObject({ code: "backup_damaged" });
});

test("runAccept() accepts nothing while a mirror's data is not to be looked at", async () => {
  const box = await shelf();
  await backUp(box);
  box.state = { ...box.state, waiting: "another one than before", baseline: { sourceBytes: 1000 } };
  box.postponed = "a download is under way";
  expect(await runAccept(runOf(box))).toMatchObject({ outcome: "postponed", state: box.state });
});

/** A NAS of its own with so much room, when this user may mount one. */
async function smallNas(sizeMb: number): Promise<string | undefined> {
  const folder = await tempFolder();
  const mounted = await promisify(execFile)("mount", ["-t", "tmpfs", "-o", `size=${sizeMb}m`, "tmpfs", folder]).then(
    () => true,
    () => false,
  );
  if (!mounted) return undefined;
  onTestFinished(async () => void (await promisify(execFile)("umount", [folder])));
  return folder;
}

/** A shelf whose books take 24 MB, on a NAS with room for them once. */
async function tightShelf(sizeMb: number): Promise<Shelf | undefined> {
  const nas = await smallNas(sizeMb);
  if (nas === undefined) return undefined;
  const box = await shelf("memory");
  const { folders } = await makeNas(nas);
  for (let at = 0; at < 24; at += 1) await writeTree(box.source, { [`books/a/${at}`]: `${at}`.padEnd(1 << 20) });
  return { ...box, folders, root: nas, nas: join(nas, "box") };
}

test("runMirror() that was killed goes on also when there is no room for all of it twice", async ({ skip }) => {
  const box = await tightShelf(50);
  if (!box) return skip();
  await writeTree(box.folders.incoming, { "books%2Fgone/1": "x".repeat(4 << 20) });
  const interrupted = backUp(box, createStep({ onStep: stopBefore("sync the file system") }));
  await expect(interrupted).rejects.toThrow("stopped");
  expect(await readdir(box.folders.incoming)).toContain("books%2Fa");
  expect((await backUp(box)).outcome).toBe("created");
  await expectWhole(box);
});

test("runMirror() that finds no room, before or while it copies, leaves none of it taken", async ({ skip }) => {
  for (const sizeMb of [35, 50]) {
    const box = await tightShelf(sizeMb);
    if (!box) return skip();
    box.meanwhile = async () => {
      box.meanwhile = async () => {};
      await writeTree(box.root, { "other-app": "x".repeat(35 << 20) }).catch(() => {});
    };
    await writeTree(box.folders.incoming, { "books%2Fa/0": "0".padEnd(1 << 20) });
    const failed = await backUp(box).catch(toFailure);
    expect(failed).toMatchObject({ code: "no_space" });
    expect(await readdir(box.folders.incoming)).toEqual([]);
  }
});

test("runMirror() that finds nothing changed removes what a killed run had copied", async () => {
  const box = await shelf();
  await backUp(box);
  await writeTree(box.folders.incoming, { "books%2Fgone/1": "of an earlier state" });
  expect((await backUp(box)).outcome).toBe("unchanged");
  expect(await readTree(box.folders.incoming)).toEqual({});
});

test("runMirror() puts a file where a folder was in the folder on the NAS, and a folder where a file was", async () => {
  const box = await shelf();
  await backUp(box);
  await rm(join(box.source, "books/a/sub"), { recursive: true });
  await rm(join(box.source, "books/a/1"));
  await writeTree(box.source, { "books/a/sub": "a file now", "books/a/1/deep": "a folder now" });
  expect((await backUp(box)).outcome).toBe("created");
  expect(await readTree(box.nas)).toEqual({
    "books/a/1/deep": "a folder now",
    "books/a/2": "two",
    "books/a/sub": "a file now",
    "books/b/1": "uno",
    catalogue: "a\nb",
  });
  await expectWhole(box);
});
