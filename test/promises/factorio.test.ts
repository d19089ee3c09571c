import { execFile } from "node:child_process";
import {
  access,
  appendFile,
  chmod,
  copyFile,
  mkdir,
  mkdtemp,
  open,
  readdir,
  readFile,
  rename,
  rm,
  rmdir,
  stat,
  truncate,
  utimes,
  writeFile,
} from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterEach, beforeEach, expect, test } from "vitest";
import { readState } from "../../deploy/local/lab/factorio/game.ts";
import { app } from "../../functions/factorio/app.ts";
import { Failure } from "../../shared/failures.ts";
import { openNas } from "../../shared/nas/nas.ts";
import { listPoints } from "../../shared/nas/points.ts";
import type { RunRequest } from "../../shared/run/description.ts";
import { killsAtAll } from "../crash/kill.ts";
import { contentHash } from "../crash/nas-checks.ts";
import { configure, factorioServer, layLab, places, play } from "../worlds/factorio.ts";
import { carry } from "../worlds/run.ts";

const exec = promisify(execFile);

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "keepsake-promises-"));
  await layLab(folder);
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const run = (
  request: Partial<RunRequest> & { operation: RunRequest["operation"] },
  options: Parameters<typeof carry>[3] = {},
) =>
  carry(
    places(folder).config,
    "factorio",
    {
      ...(request.operation === "backup" || request.operation === "restore" ? { allow: [] } : {}),
      ...request,
    } as RunRequest,
    options,
  );
const backUp = (options: Parameters<typeof carry>[3] = {}) => run({ operation: "backup" }, options);
const points = () => listPoints(openNas(places(folder).nas).app("factorio"), app.artefacts);
const history = async () => (await readdir(join(places(folder).backups, "history"))).sort();
const latest = () => join(places(folder).backups, "latest.zip");

test("a backup is the save's very bytes, twice, and says so", async () => {
  const save = await play(folder, 1000);
  const { outcome, told } = await backUp();
  expect(outcome).toMatchObject({ outcome: "created", pointCount: 1, warnings: [] });
  const [point] = await points();
  expect(await readFile(point?.files[0]?.path as string)).toEqual(await readFile(save));
  expect(await readFile(latest())).toEqual(await readFile(save));
  expect((await stat(latest())).mtimeMs).toBe(point?.takenAtMs);
  expect(told.map(({ subject, data }) => [subject, data.outcome])).toEqual([["backups.completed", "created"]]);
});

test("an unchanged save is not copied, nor read, again", async () => {
  await play(folder, 1000);
  await backUp();
  const { outcome, steps } = await backUp();
  expect(outcome).toMatchObject({ outcome: "unchanged", pointCount: 1 });
  expect(steps.filter((step) => /staging\/test|history/.test(step))).toEqual([]);
});

test("a save of another time with the same bytes is unchanged", async () => {
  const save = await play(folder, 1000);
  await backUp();
  await copyFile(save, join(places(folder).saves, "copy.zip"));
  expect((await backUp()).outcome.outcome).toBe("unchanged");
  expect(await history()).toHaveLength(1);
});

test("latest.* that somebody removed or wrote into is made again from the history, which it is no link to", async () => {
  await play(folder, 1000);
  await backUp();
  const good = await contentHash(latest());
  await appendFile(latest(), "a Mac's editor was here");
  expect(await contentHash(join(places(folder).backups, "history", (await history())[0] as string))).toBe(good);
  const { outcome } = await backUp();
  expect(outcome.outcome).toBe("unchanged");
  expect(outcome.warnings.join()).toContain("latest.zip was made again");
  expect(await contentHash(latest())).toBe(good);
  await rm(latest());
  await backUp();
  expect(await contentHash(latest())).toBe(good);
});

const rot = async (path: string) => {
  const file = await open(path, "r+");
  await file.write(Buffer.from([0xff]), 0, 1, 5000);
  await file.close();
};

test("a history file that rots is made again from latest.zip, which may be the last good copy, and that is told", async () => {
  await play(folder, 1000);
  await backUp();
  const path = join(places(folder).backups, "history", (await history())[0] as string);
  const good = await contentHash(path);
  await rot(path);
  const { outcome } = await backUp();
  expect(outcome).toMatchObject({
    outcome: "unchanged",
    warnings: [expect.stringContaining("made again from latest")],
  });
  expect([await contentHash(path), await contentHash(latest())]).toEqual([good, good]);
});

test("a history file that rots with latest.zip is noticed, counts for nothing, and a new backup is made though nothing changed", async () => {
  await play(folder, 1000);
  await backUp();
  await rot(join(places(folder).backups, "history", (await history())[0] as string));
  await rot(latest());
  const { outcome } = await backUp();
  expect(outcome).toMatchObject({ outcome: "created", warnings: [expect.stringContaining("damaged on the NAS")] });
  expect((await points()).map(({ good }) => good)).toEqual([false, true]);
});

test("a damaged save is not published, prunes nothing, and the file and the reason are named (a useless dump was called a success elsewhere)", async () => {
  for (const tick of [1000, 2000]) {
    await play(folder, tick);
    await backUp();
  }
  const before = await history();
  const save = await play(folder, 3000);
  const { size } = await stat(save);
  const file = await open(save, "r+");
  await file.write(Buffer.from([0xff, 0xff]), 0, 2, Math.floor(size * 0.8));
  await file.close();
  await utimes(save, 3000, 3000);
  const { outcome, told } = await backUp();
  expect(outcome).toMatchObject({ outcome: "refused", failure: { code: "source_invalid" } });
  expect(outcome.message).toContain("level.dat0");
  expect(await history()).toEqual(before);
  expect(told.map(({ subject }) => subject)).toEqual(["backups.refused"]);
});

test("an emptied folder of saves is refused, and the good copies stay (an empty volume pushed out good snapshots elsewhere)", async () => {
  const save = await play(folder, 1000);
  await backUp();
  await rm(save);
  const { outcome } = await backUp();
  expect(outcome).toMatchObject({ outcome: "refused", failure: { code: "source_empty" } });
  await rm(places(folder).saves, { recursive: true });
  expect((await backUp()).outcome).toMatchObject({ failure: { code: "source_missing" } });
  expect(await history()).toHaveLength(1);
});

test("a save that is suddenly much smaller is refused until ALLOW=smaller", async () => {
  await play(folder, 1000, { levelBytes: 3_000_000 });
  await backUp();
  await play(folder, 2000, { levelBytes: 100_000 });
  expect((await backUp()).outcome).toMatchObject({ outcome: "refused", failure: { code: "source_smaller" } });
  expect((await run({ operation: "backup", allow: ["smaller"] })).outcome.outcome).toBe("created");
});

test("another map than before is refused, run after run, until it is accepted", async () => {
  await play(folder, 1000);
  await backUp();
  await play(folder, 2000, { seed: 8 });
  for (const _ of [1, 2]) {
    expect((await backUp()).outcome).toMatchObject({ outcome: "refused", failure: { code: "source_replaced" } });
  }
  expect(await history()).toHaveLength(1);
  expect((await run({ operation: "accept" })).outcome.outcome).toBe("accepted");
  expect((await backUp()).outcome.outcome).toBe("created");
});

test("a restore ends the waiting: the map that was restored is the right one again", async () => {
  await play(folder, 1000);
  await backUp();
  await play(folder, 2000, { seed: 8 });
  await backUp();
  expect((await run({ operation: "restore" })).outcome.outcome).toBe("restored");
  const next = await backUp();
  expect(next.outcome.failure).toBeUndefined();
});

test("the incumbent's files are listed, restored from and pruned, and its map is what the first backup is compared with", async () => {
  const { backups } = places(folder);
  await mkdir(join(backups, "history"), { recursive: true });
  const save = await play(folder, 1000);
  for (const [day, name] of ["01", "02", "03"].map((day) => [day, `factorio-202512${day}-060000.zip`] as const)) {
    await copyFile(save, join(backups, "history", name));
    await utimes(
      join(backups, "history", name),
      Date.UTC(2025, 11, Number(day)) / 1000,
      Date.UTC(2025, 11, Number(day)) / 1000,
    );
  }
  await play(folder, 2000, { seed: 8 });
  expect((await backUp()).outcome).toMatchObject({ failure: { code: "source_replaced" } });
  await play(folder, 2000);
  const { outcome } = await backUp();
  expect(outcome.outcome).toBe("created");
  expect(outcome.removed).toEqual(["factorio-20251201-060000.zip", "factorio-20251202-060000.zip"]);
  const restored = await run({ operation: "restore", at: "factorio-20251203-060000.zip" });
  expect(restored.outcome.outcome).toBe("restored");
  expect(restored.outcome.warnings.join()).toContain("no checksum of it is known");
});

test("a folder without the marker is refused, and nothing is written into it", async () => {
  const { nas } = places(folder);
  await play(folder, 1000);
  await rename(nas, `${nas}-away`);
  await mkdir(nas);
  const { outcome } = await backUp();
  expect(outcome).toMatchObject({ outcome: "failed", failure: { code: "nas_not_marked" } });
  expect(await readdir(nas)).toEqual([]);
});

test("an outcome while the NAS is away is kept on this machine, told, and brought to the NAS by the next run (a repository that was away was told by nobody elsewhere)", async () => {
  const { nas } = places(folder);
  await play(folder, 1000);
  await rename(nas, `${nas}-away`);
  const away = await backUp();
  expect(away.told.map(({ id }) => id)).toEqual([`${away.runId}.outcome`]);
  await rename(`${nas}-away`, nas);
  const back = await backUp();
  expect(back.outcome.outcome).toBe("created");
  expect(back.told.map(({ id }) => id)).toEqual([`${back.runId}.outcome`]);
  expect((await readdir(join(nas, ".keepsake/factorio/runs"))).sort()).toEqual(
    [`${away.runId}.outcome.json`, `${back.runId}.outcome.json`].sort(),
  );
});

/** The NAS is gone right before a change of a run, with its mount point left; undefined when there was no such change. */
async function unmountedBefore(change: number, request: Parameters<typeof run>[0]) {
  const { nas } = places(folder);
  let step = 0;
  const carried = await run(request, {
    onStep: async () => {
      if (step++ !== change) return;
      await rename(nas, `${nas}-away`);
      await mkdir(nas);
    },
  });
  expect(carried.told.map(({ id }) => id)).toEqual([`${carried.runId}.outcome`]);
  if (step <= change) return undefined;
  expect([change, await readdir(nas)]).toEqual([change, []]);
  await rmdir(nas);
  await rename(`${nas}-away`, nas);
  // The lock is of this process, which is not gone as a runner's would be.
  await rm(join(nas, ".keepsake/factorio/locks"), { recursive: true, force: true });
  return carried;
}

test("a NAS that is unmounted at any change of a backup gets nothing written beneath it, and the outcome is told (a repository was made anew on the disk under the mount elsewhere)", async () => {
  for (let n = 0; ; n += 1) {
    await play(folder, 1000 + 2 * n);
    const carried = await unmountedBefore(n, { operation: "backup" });
    if (!carried) return expect(n).toBeGreaterThan(40);
    // Once all is published it has gone well.
    const { failure, point } = carried.outcome;
    if (!point) expect([n, failure?.code]).toEqual([n, "nas_not_marked"]);
    if (n % 4 > 0) continue;
    await play(folder, 1001 + 2 * n);
    expect((await backUp()).outcome).toMatchObject({ outcome: "created" });
    const recorded = await readdir(join(places(folder).nas, ".keepsake/factorio/runs"));
    expect(recorded).toContain(`${carried.runId}.outcome.json`);
  }
});

test("a NAS that is unmounted at any change of a restore leaves the app up, over data that is all old or all restored", async () => {
  const { saves } = places(folder);
  const flag = join(folder, "up");
  const workload = { stop: `rm '${flag}'`, start: `touch '${flag}'`, status: `test -e '${flag}'` };
  await configure(folder, { workload: { ...workload, timeoutSeconds: 20 } });
  const wanted = await contentHash(await play(folder, 1000, { slot: "homelab" }));
  await backUp();
  await writeFile(flag, "");
  for (let n = 0; ; n += killsAtAll ? 1 : 3) {
    const present = await contentHash(await play(folder, 2000 + n, { slot: "homelab" }));
    const carried = await unmountedBefore(n, { operation: "restore" });
    if (!carried) return expect(n).toBeGreaterThan(40);
    const isRestored = carried.outcome.outcome === "restored";
    expect([n, await contentHash(join(saves, "homelab.zip"))]).toEqual([n, isRestored ? wanted : present]);
    if (!isRestored) expect([n, carried.outcome.failure?.code]).toEqual([n, "nas_not_marked"]);
    await access(flag);
  }
});

test("an outcome that nobody takes waits on the NAS, and is told by a later run, older ones first", async () => {
  await play(folder, 1000);
  const publisher = { publish: () => Promise.reject(new Error("nobody there")) };
  const first = await backUp({ publisher });
  expect(first.outcome.outcome).toBe("created");
  const second = await backUp({ publisher });
  const third = await backUp();
  expect(third.told.map(({ id }) => id)).toEqual([first, second, third].map(({ runId }) => `${runId}.outcome`));
});

test("a second caller is told who is running and since when, fails, and changes nothing (a run that met a lock was a success elsewhere)", async () => {
  await play(folder, 1000);
  let other: Awaited<ReturnType<typeof backUp>> | undefined;
  await backUp({
    onStep: async (what) => {
      if (other === undefined && what.includes("staging")) other = await run({ operation: "restore" });
    },
  });
  expect(other?.outcome).toMatchObject({ outcome: "refused", failure: { code: "app_busy" } });
  expect(other?.outcome.message).toMatch(/backup of "factorio" is running since .* started by a test/);
  expect(other?.told).toEqual([]);
});

test("a run that lost its lock stops before its next change", async () => {
  await play(folder, 1000);
  const locks = join(places(folder).nas, ".keepsake/factorio/locks");
  let stolenAt = "";
  const { outcome, steps } = await backUp({
    onStep: async (what) => {
      if (stolenAt !== "" || !what.includes("staging/")) return;
      stolenAt = what;
      await writeFile(join(locks, "0000000099.json"), await readFile(join(locks, (await readdir(locks))[0] as string)));
    },
  });
  expect(outcome.failure?.code).toBe("lock_lost");
  expect(steps.at(-1)).toBe(stolenAt);
  expect(await points()).toEqual([]);
});

test("a cancelled backup leaves no trace but its outcome", async () => {
  await play(folder, 1000);
  await backUp();
  await play(folder, 2000);
  const stop = new AbortController();
  const { outcome } = await backUp({
    signal: stop.signal,
    onStep: (what) => {
      if (what.startsWith("write first bytes") && what.includes("staging"))
        stop.abort(new Failure("cancelled", "The run was cancelled"));
    },
  });
  expect(outcome.outcome).toBe("cancelled");
  expect(await history()).toHaveLength(1);
  expect(await readdir(join(places(folder).nas, ".keepsake/factorio/staging"))).toEqual([]);
});

test("the clock that jumps back does not make an old point the newest", async () => {
  await play(folder, 1000);
  await backUp({ now: () => Date.UTC(2027, 0, 1) });
  const save = await play(folder, 2000);
  await backUp({ now: () => Date.UTC(2026, 0, 1) });
  expect(await contentHash(latest())).toBe(await contentHash(save));
  expect((await points()).at(-1)?.id).toBe("20260101-000000");
});

test("two backups in one second are two points", async () => {
  const now = () => Date.UTC(2026, 0, 1);
  for (const tick of [1000, 2000]) {
    await play(folder, tick);
    expect((await backUp({ now })).outcome.outcome).toBe("created");
  }
  expect(await history()).toEqual(["factorio-20260101-000000.zip", "factorio-20260101-000001.zip"]);
});

test("a pinned point neither counts nor expires, and unpinned it does again", async () => {
  for (const tick of [1000, 2000, 3000]) {
    await play(folder, tick);
    await backUp();
    if (tick === 1000) expect((await run({ operation: "pin", at: "latest" })).outcome.outcome).toBe("pinned");
  }
  const [first, ...others] = await points();
  expect(first).toMatchObject({ pinned: true, good: true });
  expect(others).toHaveLength(2);
  expect(await readdir(join(places(folder).backups, "pinned"))).toHaveLength(1);
  await run({ operation: "unpin", at: first?.id as string });
  await backUp();
  expect((await points()).map(({ id }) => id)).toEqual(others.map(({ id }) => id));
});

test("a restore brings back the bytes and leaves nothing newer beside them; its undo brings back what was there", async () => {
  const { saves } = places(folder);
  const wanted = await contentHash(await play(folder, 1000, { slot: "homelab" }));
  await backUp();
  await play(folder, 2000, { slot: "homelab" });
  await play(folder, 3000, { slot: "_autosave2" });
  await writeFile(join(saves, "readme.txt"), "not a save");
  expect((await run({ operation: "restore" })).outcome.outcome).toBe("restored");
  expect((await readdir(saves)).sort()).toEqual([".keepsake", "homelab.zip", "readme.txt"]);
  expect(await contentHash(join(saves, "homelab.zip"))).toBe(wanted);
  expect((await run({ operation: "undo" })).outcome.outcome).toBe("undone");
  expect((await readdir(saves)).sort()).toEqual([".keepsake", "_autosave2.zip", "homelab.zip", "readme.txt"]);
  expect((await readState(join(saves, "homelab.zip"))).tick).toBe(2000);
  expect((await backUp()).outcome, "it is not the first backup of what was restored").toMatchObject({ warnings: [] });
  expect((await run({ operation: "undo" })).outcome.outcome).toBe("undone");
  expect(await contentHash(join(saves, "homelab.zip"))).toBe(wanted);
});

test("what a restore replaced is removed by the first run after seven days, and not before", async () => {
  await play(folder, 1000);
  await backUp();
  await play(folder, 2000);
  await run({ operation: "restore" });
  const replaced = join(places(folder).saves, ".keepsake/replaced");
  const day = 86_400_000;
  await run({ operation: "flush" }, { now: () => Date.now() + 6.9 * day });
  expect(await readdir(replaced)).not.toEqual([]);
  await run({ operation: "flush" }, { now: () => Date.now() + 7.1 * day });
  expect(await readdir(replaced)).toEqual([]);
  expect((await run({ operation: "undo" })).outcome).toMatchObject({
    outcome: "refused",
    failure: { code: "not_found" },
  });
});

test("a damaged backup is found before the app is touched (a restore deleted the world first elsewhere)", async () => {
  const save = await play(folder, 1000);
  await backUp();
  const before = await contentHash(save);
  await truncate(join(places(folder).backups, "history", (await history())[0] as string), 1000);
  const { outcome, steps } = await run({ operation: "restore" });
  expect(outcome).toMatchObject({ outcome: "failed", failure: { code: "backup_damaged" } });
  expect(steps.filter((step) => step.includes(places(folder).saves))).toEqual([]);
  expect(await contentHash(save)).toBe(before);
});

test("TO= restores beside production, into a new folder only", async () => {
  const save = await play(folder, 1000);
  await backUp();
  const to = join(folder, "look");
  const { outcome } = await run({ operation: "restore", to });
  expect(outcome).toMatchObject({ outcome: "restored", restoredTo: to });
  expect(await contentHash(join(to, "homelab.zip"))).toBe(await contentHash(save));
  expect((await run({ operation: "restore", to })).outcome.failure?.code).toBe("target_exists");
  expect((await run({ operation: "restore", to: join(places(folder).saves, "x") })).outcome.failure?.code).toBe(
    "target_invalid",
  );
});

test("a server that does not come up over the restored data gets its old data back, and comes up", async () => {
  const { saves } = places(folder);
  await play(folder, 1000);
  await backUp();
  await play(folder, 2000);
  // Starts only when the folder holds the old save's slot: the restored one, homelab.zip, is "broken".
  const flag = join(folder, "up");
  await writeFile(flag, "");
  const workload = {
    stop: `rm -f ${flag}`,
    start: `test ! -e ${saves}/homelab.zip && touch ${flag}`,
    status: `test -e ${flag}`,
    timeoutSeconds: 2,
  };
  await configure(folder, { workload });
  const { outcome } = await run({ operation: "restore" });
  expect(outcome).toMatchObject({ outcome: "failed", failure: { code: "workload_failed" } });
  expect((await readState(join(saves, "_autosave1.zip"))).tick).toBe(2000);
  expect(await readdir(saves)).not.toContain("homelab.zip");
  expect(await stat(flag)).toBeDefined();
});

test("a server that was not running is not started by a restore", async () => {
  await play(folder, 1000);
  await backUp();
  expect((await run({ operation: "restore" })).outcome.outcome).toBe("restored");
  const status = await exec(process.execPath, [factorioServer, "status", "--folder", places(folder).saves]).catch(
    ({ code }) => code,
  );
  expect(status).toBe(1);
});

test("a plan says what would be replaced by what, changes nothing, and needs no lock", async () => {
  await play(folder, 1000);
  await backUp();
  await play(folder, 2000);
  const { outcome, steps, told } = await run({ operation: "plan" });
  expect(outcome.plan).toMatchObject({
    point: { verified: true },
    present: { label: "1 save, newest _autosave1.zip", newerThanPoint: false },
    stopsApp: true,
  });
  expect(steps).toEqual([]);
  expect(told).toEqual([]);
});

test("the installer, .DS_Store, ._* and unknown files are never touched", async () => {
  const { nas, backups } = places(folder);
  await play(folder, 1000);
  await backUp();
  const strangers = [
    join(nas, "factorio/factorio-space-age_linux_2.0.72.tar.xz"),
    join(backups, ".DS_Store"),
    join(backups, "history/._factorio-20240101-000000.zip"),
    join(backups, "history/my own copy.zip"),
  ];
  for (const path of strangers) await writeFile(path, "mine");
  for (const tick of [2000, 3000, 4000]) {
    await play(folder, tick);
    await backUp();
  }
  expect(await points()).toHaveLength(2);
  for (const path of strangers) expect(await readFile(path, "utf8")).toBe("mine");
});

test("a full NAS fails the run, leaves latest.* and the history as they were, and is told (a full disk truncated dumps for months elsewhere)", async ({
  skip,
}) => {
  const { nas } = places(folder);
  await play(folder, 1000);
  const small = await exec("mount", ["-t", "tmpfs", "-o", "size=18m", "tmpfs", nas]).then(
    () => true,
    () => false,
  );
  if (!small) skip("mounting a small file system needs root");
  try {
    await layLab(folder);
    expect((await backUp()).outcome.outcome).toBe("created");
    const before = await contentHash(latest());
    await play(folder, 2000, { levelBytes: 30_000_000 });
    const { outcome, told } = await backUp();
    expect(outcome).toMatchObject({ outcome: "failed", failure: { code: "no_space" } });
    expect(told).toHaveLength(1);
    expect(await contentHash(latest())).toBe(before);
    expect(await history()).toHaveLength(1);
    expect(await readdir(join(nas, ".keepsake/factorio/staging"))).toEqual([]);
  } finally {
    await exec("umount", [nas]);
  }
});

test("bytes that the NAS damages on their way are found by the read-back, and get no final name", async () => {
  await play(folder, 1000);
  await backUp();
  const before = await contentHash(latest());
  await play(folder, 2000);
  const { outcome } = await backUp({
    onStep: async (what) => {
      const path = /^fsync (.*\/staging\/.*)$/.exec(what)?.[1];
      if (path === undefined) return;
      const file = await open(path, "r+");
      // In the name of the archive's first entry: the validator that reads the directory at the end does not mind.
      await file.write(Buffer.from([0]), 0, 1, 12);
      await file.close();
    },
  });
  expect(outcome.failure?.code).toBe("nas_write_failed");
  expect(await history()).toHaveLength(1);
  expect(await contentHash(latest())).toBe(before);
});

test("history/ that somebody moves away and back again is known again", async () => {
  await play(folder, 1000);
  await backUp();
  const { backups } = places(folder);
  await rename(join(backups, "history"), join(folder, "elsewhere"));
  await run({ operation: "flush" });
  await rename(join(folder, "elsewhere"), join(backups, "history"));
  expect((await points()).map(({ good }) => good)).toEqual([true]);
});

test("a restore beside production changes nothing of what the next backup is compared with", async () => {
  await play(folder, 1000);
  await backUp();
  await play(folder, 2000, { seed: 8 });
  await run({ operation: "accept" });
  await run({ operation: "restore", to: join(folder, "look") });
  expect((await backUp()).outcome.outcome).toBe("created");
});

test("a restored file is read back where it arrived, and other bytes fail the restore (a restore of nothing was completed elsewhere)", async () => {
  await play(folder, 1000);
  await backUp();
  const before = await contentHash(await play(folder, 2000));
  const { outcome } = await run(
    { operation: "restore" },
    {
      onStep: async (what) => {
        const path = /^fsync (.*\/restore\/new\/.*\.zip)$/.exec(what)?.[1];
        if (path !== undefined) await appendFile(path, "x");
      },
    },
  );
  expect(outcome).toMatchObject({ outcome: "failed", failure: { code: "restore_failed" } });
  expect(await contentHash(join(places(folder).saves, "_autosave1.zip"))).toBe(before);
  expect(await readdir(places(folder).saves)).not.toContain("homelab.zip");
});

test("backups that fail again and again leave nothing but their outcomes (failing ones piled up until the app was down elsewhere)", async () => {
  await play(folder, 1000);
  await backUp();
  await rm(join(places(folder).saves, "_autosave1.zip"));
  const files = async () =>
    (await readdir(folder, { recursive: true })).filter((name) => !/outcome\.json$|locks\//.test(name)).sort();
  await backUp();
  const before = await files();
  for (let n = 0; n < 10; n++) expect((await backUp()).outcome.failure?.code).toBe("source_empty");
  expect(await files()).toEqual(before);
});

test("a save that cannot be read fails the backup (an unreadable volume gave an empty snapshot elsewhere)", async ({
  skip,
}) => {
  const save = await play(folder, 1000);
  await chmod(save, 0);
  if (process.getuid?.() !== 0) {
    expect((await backUp()).outcome.failure?.code).toBe("source_unreachable");
    return;
  }
  // Root reads everything; so somebody else has to try, who can enter the folders of this checkout and of this test.
  const nobody = { uid: 65534, gid: 65534 };
  const probe = join(import.meta.dirname, "../../functions/run.ts");
  const enters = await exec("cat", [probe, "/dev/null"], nobody).then(
    () => true,
    () => false,
  );
  if (!enters) skip("nobody else can enter this checkout");
  await exec("chown", ["-R", "65534:65534", join(folder, "nas")]);
  await chmod(folder, 0o777);
  const runPath = join(folder, "run.json");
  const description = { id: "unreadable", function: "backup-factorio", app: "factorio", startedBy: "a test" };
  const request = { operation: "backup", allow: [] };
  await writeFile(runPath, JSON.stringify({ ...description, request, startedAt: new Date().toISOString() }));
  const env = { ...process.env, NODE_COMPILE_CACHE: "" };
  const ended = await exec(process.execPath, [probe, places(folder).config, runPath], { ...nobody, env }).catch(
    (e) => e,
  );
  expect(JSON.parse(ended.stdout.trim().split("\n").at(-1))).toMatchObject({
    outcome: "failed",
    failure: { code: "source_unreachable" },
  });
});

test("a restore that lacks room takes that of what earlier ones replaced, and says so", async ({ skip }) => {
  const { saves } = places(folder);
  await mkdir(saves);
  const small = await exec("mount", ["-t", "tmpfs", "-o", "size=30m", "tmpfs", saves]).then(
    () => true,
    () => false,
  );
  if (!small) skip("mounting a small file system needs root");
  try {
    // 5 MB each: beside three of them and the 16 MB that are always left free, a fourth has no room.
    await play(folder, 1000, { levelBytes: 18_000_000, slot: "homelab" });
    await backUp();
    for (const tick of [2000, 3000]) {
      await play(folder, tick, { levelBytes: 18_000_000, slot: "homelab" });
      await run({ operation: "restore" });
    }
    await play(folder, 4000, { levelBytes: 18_000_000, slot: "homelab" });
    const { outcome } = await run({ operation: "restore" });
    expect(outcome.outcome).toBe("restored");
    expect(outcome.warnings.join()).toContain("was removed early");
    expect((await run({ operation: "undo" })).outcome.outcome).toBe("undone");
    expect((await readState(join(saves, "homelab.zip"))).tick).toBe(4000);
  } finally {
    await exec("umount", [saves]);
  }
});

test("a changed byte that the format does not care about is found by the checksum, before the app is touched", async () => {
  const save = await play(folder, 1000);
  await backUp();
  const before = await contentHash(save);
  const file = await open(join(places(folder).backups, "history", (await history())[0] as string), "r+");
  // The date in the first local header.
  await file.write(Buffer.from([0]), 0, 1, 12);
  await file.close();
  const { outcome } = await run({ operation: "restore" });
  expect(outcome).toMatchObject({ outcome: "failed", failure: { code: "backup_damaged" } });
  expect(outcome.message).toContain("sha256");
  expect(await contentHash(save)).toBe(before);
});

test("another version of the game is warned about, and no reason to refuse the same map", async () => {
  await play(folder, 1000);
  await backUp();
  const { points: manifests } = openNas(places(folder).nas).app("factorio");
  const path = join(manifests, (await readdir(manifests))[0] as string);
  const manifest = JSON.parse(await readFile(path, "utf8"));
  await writeFile(path, JSON.stringify({ ...manifest, facts: { ...manifest.facts, gameVersion: "1.1.110" } }));
  await play(folder, 2000);
  const { outcome } = await backUp();
  expect(outcome.outcome).toBe("created");
  expect(outcome.warnings).toEqual([expect.stringContaining("version changed from 1.1.110 to 2.0.72")]);
});
