import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, readdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { expect, onTestFinished, test } from "vitest";
import { createStep } from "../step.ts";
import { describeRun, tempFolder, testDisk } from "../testing.ts";
import { lockHolder, takeLock } from "./lock.ts";
import { identify, ownIdentity, type ProcessIdentity } from "./process-identity.ts";

const run = describeRun();
const secondRun = describeRun({ id: "restore-box-2", startedBy: "make on kitchen-mac" });

const take = async (folder: string, who: ProcessIdentity, wanted = run) => takeLock(folder, wanted, who, testDisk());

/** A process that waits for a line, tries for the lock, tells what came of it, and lives on until it is killed. */
function contender(folder: string, id: string): ChildProcess & { says: () => Promise<string> } {
  const script = `
    import { createInterface } from "node:readline";
    import { Disk } from "${import.meta.dirname}/../disk.ts";
    import { createStep } from "${import.meta.dirname}/../step.ts";
    import { takeLock } from "${import.meta.dirname}/lock.ts";
    import { ownIdentity } from "${import.meta.dirname}/process-identity.ts";
    const run = ${JSON.stringify(describeRun({ id }))};
    const me = await ownIdentity();
    console.log("ready");
    for await (const _ of createInterface({ input: process.stdin })) {
      console.log(await takeLock(${JSON.stringify(folder)}, run, me, new Disk(createStep())).then(
        (lock) => "number " + lock.number + " after " + (lock.abandoned?.id ?? "nobody"),
        (error) => error.code,
      ));
    }`;
  const child = spawn(process.execPath, ["--input-type=module-typescript", "-e", script], {
    stdio: ["pipe", "pipe", "inherit"],
  });
  onTestFinished(async () => void child.kill("SIGKILL"));
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  return Object.assign(child, { says: async () => String((await lines.next()).value) });
}

async function died(child: ChildProcess) {
  child.kill("SIGKILL");
  if (child.exitCode === null && child.signalCode === null) await once(child, "exit");
}

/** The identity of a process that has lived and is dead. */
async function deadProcess(): Promise<ProcessIdentity> {
  const child = spawn("sleep", ["60"]);
  const identity = await identify(child.pid as number);
  await died(child);
  return identity;
}

test("takeLock() lets one of several racing processes win, and a killed holder be taken over by one", async () => {
  const folder = await tempFolder();
  const contenders = ["a", "b", "c"].map((name) => contender(folder, `race-${name}`));
  for (const child of contenders) expect(await child.says()).toBe("ready");

  for (const child of contenders) child.stdin?.write("go\n");
  const answers = await Promise.all(contenders.map((child) => child.says()));
  expect(answers.filter((answer) => answer === "number 1 after nobody")).toHaveLength(1);
  expect(answers.filter((answer) => answer === "app_busy")).toHaveLength(2);

  const winner = answers.indexOf("number 1 after nobody");
  const holder = await lockHolder(folder);
  expect(holder).toMatchObject({ run: { id: `race-${"abc"[winner]}` }, state: "alive" });

  await died(contenders[winner] as ChildProcess);
  expect(await lockHolder(folder)).toMatchObject({ state: "gone" });
  const losers = contenders.filter((_, index) => index !== winner);
  for (const child of losers) child.stdin?.write("go\n");
  const second = await Promise.all(losers.map((child) => child.says()));
  expect(second.toSorted()).toEqual(["app_busy", `number 2 after race-${"abc"[winner]}`]);
  expect(await readdir(folder)).toEqual(["0000000002.json"]);
});

test("takeLock() gives ever growing numbers, and holds nobody up once it was released", async () => {
  const folder = await tempFolder();
  const me = await ownIdentity();
  for (const number of [1, 2, 3]) {
    const lock = await take(folder, me);
    expect(lock.number).toBe(number);
    expect(lock.abandoned).toBeUndefined();
    await lock.release();
    expect(await lockHolder(folder)).toBeUndefined();
  }
  expect(await readdir(folder)).toHaveLength(1);
});

test("takeLock() tells a second caller who is running and since when", async () => {
  const folder = await tempFolder();
  const me = await ownIdentity();
  await take(folder, me, secondRun);
  await expect(take(folder, me)).rejects.toMatchObject({
    code: "app_busy",
    message: expect.stringMatching(/backup of "box".*2025-12-19T18:00:00.000Z.*make on kitchen-mac.*restore-box-2/),
    hint: expect.stringContaining("make cancel-box"),
  });
});

test("takeLock() takes over from a dead process, so that a stale lock stops nothing (one stopped retention for 52 days elsewhere)", async () => {
  const folder = await tempFolder();
  await take(folder, await deadProcess());
  expect(await lockHolder(folder)).toMatchObject({ run: { id: run.id }, state: "gone" });
  const lock = await take(folder, await ownIdentity(), secondRun);
  expect(lock).toMatchObject({ number: 2, abandoned: { id: run.id } });
});

test("takeLock() takes over when the pid belongs to another process by now, or the machine was started again", async () => {
  const me = await ownIdentity();
  for (const other of [{ started: "1" }, { boot: "another-boot" }]) {
    const folder = await tempFolder();
    await take(folder, { ...me, ...other });
    expect((await take(folder, me, secondRun)).abandoned?.id).toBe(run.id);
  }
});

test("takeLock() never takes over from another machine, of which nothing can be said from here (changing host names defeated a lock elsewhere)", async () => {
  const folder = await tempFolder();
  const me = await ownIdentity();
  await take(folder, { ...me, host: "another-machine", boot: "x" });
  expect(await lockHolder(folder)).toMatchObject({ state: "unknown" });
  const hint = expect.stringMatching(/another-machine.*0000000001\.json/);
  await expect(take(folder, me)).rejects.toMatchObject({ code: "app_busy", hint });
});

test("takeLock() passes over an entry that was damaged by hand, and counts on from it", async () => {
  const folder = await tempFolder();
  await writeFile(join(folder, "0000000041.json"), "{ half an ent");
  expect((await take(folder, await ownIdentity())).number).toBe(42);
});

test("takeLock() takes nothing over from an entry that cannot be read: its holder may be alive", async () => {
  const folder = await tempFolder();
  await mkdir(join(folder, "0000000041.json"));
  await expect(take(folder, await ownIdentity())).rejects.toMatchObject({ code: "nas_unreachable" });
  await expect(lockHolder(folder)).rejects.toMatchObject({ code: "nas_unreachable" });
  expect(await readdir(folder)).toEqual(["0000000041.json"]);
});

test("takeLock() bears that its temporary file is cleared away by the holder's cleaning", async () => {
  const folder = await tempFolder();
  let cleared = 0;
  const step = createStep({
    onStep: async (what) => {
      if (!what.startsWith("link ") || cleared > 0) return;
      for (const name of await readdir(folder)) {
        if (!name.startsWith(".")) continue;
        await rm(join(folder, name));
        cleared += 1;
      }
    },
  });
  expect((await takeLock(folder, run, await ownIdentity(), testDisk(step))).number).toBe(1);
  expect(cleared).toBe(1);
});

test("takeLock() of a taker so slow that others came and went does not win with a number that was passed", async () => {
  const folder = await tempFolder();
  const me = await ownIdentity();
  let met = false;
  const step = createStep({
    onStep: async (what) => {
      if (!what.startsWith("link ") || met) return;
      met = true;
      await (await take(folder, me)).release();
      await take(folder, me, secondRun);
    },
  });
  await expect(takeLock(folder, run, me, testDisk(step))).rejects.toMatchObject({ code: "app_busy" });
  expect(await readdir(folder)).toEqual(["0000000002.json"]);
  expect(await lockHolder(folder)).toMatchObject({ run: { id: secondRun.id } });
});

test("fence() lets the holder go on, and throws once another run has taken over", async () => {
  const folder = await tempFolder();
  const first = await take(folder, await deadProcess());
  await first.fence();
  const second = await take(folder, await ownIdentity(), secondRun);
  await expect(first.fence()).rejects.toMatchObject({ code: "lock_lost" });
  await second.fence();
});

test("fence() throws when another export is mounted there now, whose lock happens to have the same number", async () => {
  const folder = await tempFolder();
  const me = await ownIdentity();
  const lock = await take(folder, me);
  await rm(folder, { recursive: true });
  await expect(lock.fence()).rejects.toMatchObject({ code: "lock_lost" });
  await take(folder, me, secondRun);
  await expect(lock.fence()).rejects.toMatchObject({ code: "lock_lost" });
});

test("release() of a run that lost its lock does not release the lock of the one that took over", async () => {
  const folder = await tempFolder();
  const me = await ownIdentity();
  const first = await take(folder, await deadProcess());
  await take(folder, me, secondRun);
  await first.release();
  expect(await lockHolder(folder)).toMatchObject({ run: { id: secondRun.id }, state: "alive" });
  await expect(take(folder, me)).rejects.toMatchObject({ code: "app_busy" });
});

test("lockHolder() knows nobody where there is no lock yet", async () => {
  expect(await lockHolder(join(await tempFolder(), "not-made"))).toBeUndefined();
});
