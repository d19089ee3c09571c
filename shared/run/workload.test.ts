import { execFileSync } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { createStep, type Step } from "../step.ts";
import { readTree, stepsOf, stopDeadAt, tempFolder, testDisk } from "../testing.ts";
import { commandWorkload } from "./workload.ts";

/** A real server: a process that a line starts and that its pid file tells of. */
async function server({
  timeoutSeconds = 5,
  ...lines
}: Partial<Record<"stop" | "start" | "status", string>> & { timeoutSeconds?: number } = {}) {
  const folder = await tempFolder();
  const pid = join(folder, "pid");
  const commands = {
    stop: `echo stop >> ${folder}/calls; kill $(cat ${pid}); rm -f ${pid}`,
    start: `echo start >> ${folder}/calls; sleep 300 & echo $! > ${pid}`,
    status: `test -f ${pid} && kill -0 $(cat ${pid})`,
    timeoutSeconds,
    ...lines,
  };
  const markPath = join(folder, "marks/box/stopped.json");
  const workloadOf = (step: Step = createStep()) =>
    commandWorkload({ app: "box", commands, markPath, disk: testDisk(step), step });
  const running = () => existsSync(pid);
  const calls = () =>
    readFile(join(folder, "calls"), "utf8").then(
      (text) => text.trim().split("\n"),
      () => [],
    );
  onTestFinished(async () => {
    const number = Number(await readFile(pid, "utf8").catch(() => ""));
    if (number > 0) process.kill(number);
  });
  const boot = async () => void execFileSync("sh", ["-c", `sleep 300 > /dev/null 2>&1 & echo $! > ${pid}`]);
  return { folder, markPath, workloadOf, workload: workloadOf(), running, calls, boot };
}

test("commandWorkload() stops the app, remembers which run did, brings it back, and forgets", async () => {
  const { workload, running, boot, calls, folder } = await server();
  await boot();
  expect(await workload.stoppedBy()).toBeUndefined();
  await workload.stop("run-1");
  expect([running(), await workload.stoppedBy()]).toEqual([false, "run-1"]);
  await workload.start();
  expect([running(), await workload.stoppedBy()]).toEqual([true, "run-1"]);
  await workload.release();
  expect(await workload.stoppedBy()).toBeUndefined();
  expect(await calls()).toEqual(["stop", "start"]);
  expect(await readTree(join(folder, "marks"))).toEqual({});
});

test("start() does not start an app that was not running before (one was started elsewhere that its owner had stopped)", async () => {
  const { workload, running, calls } = await server();
  await workload.stop("run-1");
  expect(await workload.stoppedBy()).toBe("run-1");
  await workload.start();
  await workload.release();
  expect([running(), await calls()]).toEqual([false, []]);
});

test("stop() called again, by this run or one that found it abandoned, remembers how the app was at first", async () => {
  const { workload, running, boot } = await server();
  await boot();
  await workload.stop("run-1");
  await workload.stop("run-2");
  expect(await workload.stoppedBy()).toBe("run-2");
  await workload.start();
  expect(running()).toBe(true);
  // Half-way back up, then down once more to put everything back.
  await workload.stop("run-2");
  expect(running()).toBe(false);
  await workload.start();
  expect(running()).toBe(true);
});

test("start() without a stop before it does nothing", async () => {
  const { workload, running } = await server();
  await workload.start();
  expect(running()).toBe(false);
});

test("stop() and start() stopped dead at any change: whoever comes next brings the app back (a killed worker left it stopped elsewhere)", async () => {
  const cycle = (world: Awaited<ReturnType<typeof server>>) => async (step: Step) => {
    const workload = world.workloadOf(step);
    await workload.stop("run-1");
    await workload.start();
    await workload.release();
  };
  const first = await server();
  await first.boot();
  const count = (await stepsOf(cycle(first))).length;
  expect(count).toBeGreaterThan(5);
  for (let at = 1; at <= count; at += 1) {
    const world = await server();
    await world.boot();
    await stopDeadAt(at, cycle(world));
    // It is down only while a mark says who took it down.
    expect(world.running() || (await world.workload.stoppedBy()) === "run-1").toBe(true);
    await world.workload.start();
    await world.workload.release();
    expect(world.running()).toBe(true);
    expect(await readTree(join(world.folder, "marks"))).toEqual({});
  }
});

test("stop() and start() say which line failed, with its exit status and what it printed", async () => {
  const { workload, boot } = await server({ stop: "echo 'no such unit' >&2; exit 3" });
  await boot();
  await expect(workload.stop("run-1")).rejects.toMatchObject({
    code: "workload_failed",
    message: 'Cannot stop "box": exit status 0 is wanted, is 3: no such unit',
    hint: "Try it yourself: echo 'no such unit' >&2; exit 3",
  });
  const broken = await server({ start: "exit 1" });
  await broken.boot();
  await broken.workload.stop("run-1");
  await expect(broken.workload.start()).rejects.toMatchObject({
    code: "workload_failed",
    message: /Cannot start "box".*is 1/,
  });
  expect(await broken.workload.stoppedBy()).toBe("run-1");
});

test("stop() and start() give up after the time that the settings allow, when the app does not follow", async () => {
  const stubborn = await server({ stop: "true", timeoutSeconds: 1 });
  await stubborn.boot();
  await expect(stubborn.workload.stop("run-1")).rejects.toMatchObject({
    code: "workload_failed",
    message: /still running after 0\.2 s/,
  });
  const broken = await server({ start: "true", timeoutSeconds: 1 });
  await broken.boot();
  await broken.workload.stop("run-1");
  await expect(broken.workload.start()).rejects.toMatchObject({ message: /not ready after 0\.2 s/, hint: /kill -0/ });
});

test("stop(), start() and status lines that hang are given up on as well", async () => {
  for (const lines of [{ stop: "sleep 60" }, { status: "sleep 60" }]) {
    const { workload, boot } = await server({ ...lines, timeoutSeconds: 1 });
    await boot();
    const began = performance.now();
    await expect(workload.stop("run-1")).rejects.toMatchObject({ code: "workload_failed" });
    expect(performance.now() - began).toBeLessThan(5000);
  }
});

test("stoppedBy() fails when there is a mark that cannot be read: the app would never be brought back", async () => {
  const { workload, markPath } = await server();
  await mkdir(markPath, { recursive: true });
  await expect(workload.stoppedBy()).rejects.toMatchObject({ code: "workload_failed" });
});

test("stoppedBy() takes a mark that is damaged for none", async () => {
  const { workload, markPath, boot } = await server();
  await boot();
  await workload.stop("run-1");
  await writeFile(markPath, '{"runId":"ru');
  expect(await workload.stoppedBy()).toBeUndefined();
});

test("commandWorkload() without lines in the settings has nothing to stop", async () => {
  const folder = await tempFolder();
  const steps = await stepsOf(async (step) => {
    const workload = commandWorkload({
      app: "box",
      commands: undefined,
      markPath: join(folder, "m/x"),
      disk: testDisk(step),
      step,
    });
    await workload.stop("run-1");
    expect(await workload.stoppedBy()).toBeUndefined();
    await workload.start();
    await workload.release();
  });
  expect(steps).toEqual([]);
});
