import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { appendFile, mkdir, readdir, readFile, utimes, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { describeOutcome, describeRun, tempFolder, writeTree } from "../testing.ts";
import { closeRun, localRuns, lostRuns } from "./local-runs.ts";
import type { RunLine } from "./report.ts";

const run = describeRun();
const progress = (phase: string): RunLine => ({ type: "progress", at: "2025-12-19T18:00:00Z", phase });
const outcome = describeOutcome(run);

/**
 * A runner of a few lines. It tells `first`, then waits for the file "go" beside it, then tells `rest` and ends.
 * SIGTERM ends it with the outcome "cancelled", as the real one does.
 */
async function lab({ first = [progress("copying")], rest = [outcome] }: { first?: RunLine[]; rest?: RunLine[] } = {}) {
  const root = await tempFolder();
  const [folder, script, go] = [join(root, "runs"), join(root, "runner.mjs"), join(root, "go")];
  await writeFile(
    script,
    `import { existsSync, readFileSync, writeFileSync, writeSync } from "node:fs";
    const tell = (line) => writeSync(1, JSON.stringify(line) + "\\n");
    const run = JSON.parse(readFileSync(process.argv[2], "utf8"));
    writeFileSync(${JSON.stringify(join(root, "pid-"))} + run.id, String(process.pid));
    process.on("SIGTERM", () => {
      tell({ ...${JSON.stringify(outcome)}, runId: run.id, outcome: "cancelled" });
      process.exit(1);
    });
    for (const line of ${JSON.stringify(first)}) tell(line);
    const timer = setInterval(() => {
      if (!existsSync(${JSON.stringify(go)})) return;
      for (const line of ${JSON.stringify(rest)}) tell({ ...line, ...(line.runId && { runId: run.id }) });
      clearInterval(timer);
    }, 10);`,
  );
  const runs = localRuns(folder, [process.execPath, script]);
  const pidOf = async (id = run.id) => Number(await readFile(join(root, `pid-${id}`), "utf8").catch(() => "0"));
  onTestFinished(async () => {
    for (const name of await readdir(root)) {
      if (!name.startsWith("pid-")) continue;
      try {
        process.kill(await pidOf(name.slice(4)), "SIGKILL");
      } catch {
        // It has ended.
      }
    }
  });
  return { root, folder, script, runs, pidOf, go: () => writeFile(go, "") };
}

const signal = AbortSignal.timeout(20_000);
const phasesOf = async (runs: ReturnType<typeof localRuns>, id = run.id, after = 0) =>
  (await Array.fromAsync(runs.follow(id, { after, signal }))).map(({ number, line }) => [
    number,
    line.type === "progress" ? line.phase : line.type === "outcome" ? line.outcome : line.type,
  ]);

test("start() starts a run once for ever, and find() tells how far it is and how it ended", async () => {
  const { runs, go, folder } = await lab();
  expect(await runs.find(run.id)).toBeUndefined();
  expect(await runs.start(run)).toBe(true);
  expect(await runs.start(run)).toBe(false);
  await expect.poll(async () => (await runs.find(run.id))?.progress?.phase).toBe("copying");
  expect(await runs.find(run.id)).toEqual({ run, progress: progress("copying") });
  await go();
  await expect.poll(async () => (await runs.find(run.id))?.outcome?.outcome).toBe("created");
  expect(await runs.start(run)).toBe(false);
  // Another process of the same machine knows it as well.
  expect((await localRuns(folder, ["false"]).find(run.id))?.outcome).toEqual(outcome);
});

test("start() of one run from several callers at once starts it once, and every caller finds it", async () => {
  const { runs, root } = await lab();
  const found = await Promise.all(
    [1, 2, 3, 4].map(async () => {
      const started = await runs.start(run);
      return [started, (await runs.find(run.id))?.run.id];
    }),
  );
  expect(found.toSorted()).toEqual([
    [false, run.id],
    [false, run.id],
    [false, run.id],
    [true, run.id],
  ]);
  await expect.poll(async () => (await readdir(root)).filter((name) => name.startsWith("pid-"))).toHaveLength(1);
});

test("follow() tells a run live, line by line, to its outcome", async () => {
  const { runs, go } = await lab();
  await runs.start(run);
  const lines = runs.follow(run.id, { signal })[Symbol.asyncIterator]();
  expect((await lines.next()).value).toEqual({ number: 1, line: progress("copying") });
  await go();
  expect((await lines.next()).value).toEqual({ number: 2, line: outcome });
  expect((await lines.next()).done).toBe(true);
});

test("follow() goes on after a line, also long after the run's end", async () => {
  const { runs, go } = await lab({ first: [progress("copying"), progress("verifying")] });
  await go();
  await runs.start(run);
  expect(await phasesOf(runs)).toEqual([
    [1, "copying"],
    [2, "verifying"],
    [3, "created"],
  ]);
  expect(await phasesOf(runs, run.id, 1)).toEqual([
    [2, "verifying"],
    [3, "created"],
  ]);
  expect(await phasesOf(runs, run.id, 3)).toEqual([]);
});

test("follow() puts lines together that arrive in pieces, and passes over what is none", async () => {
  const { runs, go, folder } = await lab({ first: [] });
  await runs.start(run);
  const following = phasesOf(runs);
  const output = join(folder, run.id, "output.ndjson");
  const line = Buffer.from(`${JSON.stringify(progress("copying ü"))}\n`);
  // In the middle of a character.
  const middle = line.indexOf("ü") + 1;
  await appendFile(output, line.subarray(0, middle));
  await appendFile(output, line.subarray(middle));
  await appendFile(output, "not JSON\n{}\n");
  await go();
  expect(await following).toEqual([
    [1, "copying ü"],
    [4, "created"],
  ]);
});

test("follow() stops when its reader goes away, and the run goes on", async () => {
  const { runs, pidOf } = await lab();
  await runs.start(run);
  const gone = new AbortController();
  for await (const _ of runs.follow(run.id, { signal: gone.signal })) gone.abort();
  expect((await runs.find(run.id))?.outcome).toBeUndefined();
  process.kill(await pidOf(), 0);
});

test("find() and follow() say of a killed runner that it was interrupted, with what it had told before", async () => {
  const { runs, pidOf } = await lab();
  await runs.start(run);
  const following = phasesOf(runs);
  await expect.poll(() => pidOf()).toBeGreaterThan(0);
  await expect.poll(async () => (await runs.find(run.id))?.progress).toBeDefined();
  process.kill(await pidOf(), "SIGKILL");
  expect(await following).toEqual([
    [1, "copying"],
    [2, "interrupted"],
  ]);
  expect(await runs.find(run.id)).toMatchObject({
    progress: { phase: "copying" },
    outcome: { outcome: "interrupted", failure: { code: "interrupted", retryable: true } },
  });
  expect(await runs.active("box", "main")).toBeUndefined();
});

test("find() says of a runner that could not be started at all that it was interrupted", async () => {
  const { folder } = await lab();
  const runs = localRuns(folder, ["/not/there/node"]);
  await expect(runs.start(run)).rejects.toMatchObject({ code: "ENOENT" });
  expect(await runs.find(run.id)).toMatchObject({ outcome: { outcome: "interrupted" } });
  expect(await runs.active("box", "main")).toBeUndefined();
});

test("find() says of a runner that ended at once without a word that it was interrupted", async () => {
  const { folder } = await lab();
  const runs = localRuns(folder, ["false"]);
  await runs.start(run);
  await expect.poll(async () => (await runs.find(run.id))?.outcome?.outcome).toBe("interrupted");
});

test("cancel() sends SIGTERM, so that the runner ends with an outcome; there is nothing to cancel afterwards", async () => {
  const { runs } = await lab();
  await runs.start(run);
  await expect.poll(async () => (await runs.find(run.id))?.progress).toBeDefined();
  expect(await runs.cancel(run.id)).toBe(true);
  await expect.poll(async () => (await runs.find(run.id))?.outcome?.outcome).toBe("cancelled");
  expect(await runs.cancel(run.id)).toBe(false);
  expect(await runs.cancel("not-there")).toBe(false);
});

test("active() tells of a run of the app that goes on, and of no other app's", async () => {
  const { runs, go } = await lab();
  await runs.start(run);
  expect((await runs.active("box", "main"))?.id).toBe(run.id);
  expect(await runs.active("other", "main")).toBeUndefined();
  await go();
  await expect.poll(() => runs.active("box", "main")).toBeUndefined();
});

test("A run outlives whoever started it, and is joined again by the next one (a restarted gateway lost runs elsewhere)", async () => {
  const { runs, folder, script, go, pidOf } = await lab();
  const starter = `import { localRuns } from "${import.meta.dirname}/local-runs.ts";
    await localRuns(${JSON.stringify(folder)}, [process.execPath, ${JSON.stringify(script)}]).start(${JSON.stringify(run)});
    console.log("started");
    setInterval(() => {}, 1000);`;
  const child: ChildProcess = spawn(process.execPath, ["--input-type=module-typescript", "-e", starter], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  await once(child.stdout as NodeJS.ReadableStream, "data");
  child.kill("SIGKILL");
  await once(child, "exit");
  await expect.poll(() => pidOf()).toBeGreaterThan(0);
  expect((await runs.find(run.id))?.outcome).toBeUndefined();
  const following = phasesOf(runs);
  await go();
  expect(await following).toEqual([
    [1, "copying"],
    [2, "created"],
  ]);
});

test("lostRuns() knows runs whose runner died before its outcome was on record, until they are closed", async () => {
  const { runs, folder, pidOf } = await lab();
  await runs.start(run);
  await expect.poll(() => pidOf()).toBeGreaterThan(0);
  expect(await lostRuns(folder, "box")).toEqual([]);
  process.kill(await pidOf(), "SIGKILL");
  await expect.poll(() => lostRuns(folder, "box")).toEqual([run]);
  expect(await lostRuns(folder, "other")).toEqual([]);
  await closeRun(folder, run.id);
  await closeRun(folder, run.id);
  expect(await lostRuns(folder, "box")).toEqual([]);
});

test("find() does not read what is outside its folder, whatever the id", async () => {
  const { runs, root } = await lab();
  await writeTree(root, {
    "secret/run.json": JSON.stringify(run),
    [`runs/${run.id}-copy/run.json`]: JSON.stringify(run),
  });
  for (const id of ["../secret", `${run.id}-copy`, "..", ".", "", "/etc", "a\0b"])
    expect(await runs.find(id), id).toBeUndefined();
});

test("start() keeps the newest runs of this machine, and lets older ones go", async () => {
  const { runs, folder } = await lab();
  for (let index = 0; index < 340; index += 1) {
    const old = join(folder, `old-${index}`);
    await mkdir(old, { recursive: true });
    await utimes(old, index + 1, index + 1);
  }
  await runs.start(run);
  const names = await readdir(folder);
  expect(names).toHaveLength(300);
  expect(names).toContain(run.id);
  expect(names).toContain("old-339");
  expect(names).not.toContain("old-0");
});
