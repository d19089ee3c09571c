import { spawn } from "node:child_process";
import { once } from "node:events";
import { chmod, copyFile, writeFile } from "node:fs/promises";
import { hostname } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test, vi } from "vitest";
import { tempFolder } from "../testing.ts";
import { identify, ownIdentity, stateOf } from "./process-identity.ts";

test("ownIdentity() names this process, and stateOf() says that it is alive", async () => {
  const me = await ownIdentity();
  expect(me).toMatchObject({ pid: process.pid, host: hostname() });
  expect(await ownIdentity()).toEqual(me);
  expect(await stateOf(me)).toBe("alive");
});

test("stateOf() tells a process from a later one with its pid, from one before a reboot, and from one elsewhere", async () => {
  const me = await ownIdentity();
  expect(await stateOf({ ...me, started: `${me.started}0` })).toBe("gone");
  expect(await stateOf({ ...me, boot: "before" })).toBe("gone");
  expect(await stateOf({ ...me, host: `not-${me.host}` })).toBe("unknown");
});

test("stateOf() is not confused by a program's name with spaces and parentheses", async () => {
  const program = join(await tempFolder(), "a) S 1 (b");
  await copyFile("/bin/sleep", program);
  const child = spawn(program, ["60"]);
  await once(child, "spawn");
  const identity = await identify(child.pid as number);
  expect(await stateOf(identity)).toBe("alive");
  expect(identity.started).not.toBe("0");
  child.kill("SIGKILL");
  await once(child, "exit");
  expect(await stateOf(identity)).toBe("gone");
});

test("stateOf() counts a process that nobody has waited for yet as gone", async () => {
  // Its own child, whose pid it says, ends when told to; nobody ever waits for it.
  const script = `import os, time
pid = os.fork()
if pid == 0: os.read(0, 1); os._exit(0)
print(pid, flush=True)
time.sleep(60)`;
  const parent = spawn("python3", ["-c", script]);
  const failed = await Promise.race([once(parent, "error"), once(parent, "spawn").then(() => undefined)]);
  if (failed) return console.log("skipped: there is no python3 to make a zombie with");
  const [said] = (await once(parent.stdout, "data")) as [Buffer];
  const zombie = await identify(Number(said.toString()));
  expect(await stateOf(zombie)).toBe("alive");
  parent.stdin.write("x");
  await expect.poll(() => stateOf(zombie)).toBe("gone");
  parent.kill("SIGKILL");
});

test("identify() refuses a process that is not there", async () => {
  await expect(identify(2 ** 22 - 1)).rejects.toThrow("not running");
});

test("stateOf() on a Mac does not take a process for gone because of the language, the time zone or the clock", async () => {
  const bin = await tempFolder();
  // kern.boottime is a time of day there, and moves when the clock is set.
  await writeFile(join(bin, "sysctl"), '#!/bin/sh\n[ "$2" = kern.bootsessionuuid ] && echo 4F2A || date +%s%N\n');
  await chmod(join(bin, "sysctl"), 0o755);
  const { platform } = process;
  Object.defineProperty(process, "platform", { value: "darwin" });
  onTestFinished(() => {
    Object.defineProperty(process, "platform", { value: platform });
    vi.unstubAllEnvs();
  });
  vi.stubEnv("PATH", `${bin}:${process.env.PATH}`);
  const identified = async (env: Record<string, string>) => {
    for (const [name, value] of Object.entries(env)) vi.stubEnv(name, value);
    vi.resetModules();
    return import("./process-identity.ts");
  };
  const me = await (await identified({ TZ: "America/New_York", LC_ALL: "C" })).ownIdentity();
  expect(await (await identified({ TZ: "Asia/Tokyo", LC_ALL: "C.UTF-8" })).stateOf(me)).toBe("alive");
});
