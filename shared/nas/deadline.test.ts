import { execFileSync } from "node:child_process";
import { closeSync, constants, openSync, writeSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, onTestFinished, test, vi } from "vitest";
import { tempFolder } from "../testing.ts";
import { withDeadline } from "./deadline.ts";

/** A file whose reader hangs in the kernel, as on a mount whose server is away, until somebody writes. */
async function hungFile() {
  const path = join(await tempFolder(), "hung");
  execFileSync("mkfifo", [path]);
  const answer = (text: string) => {
    try {
      const file = openSync(path, constants.O_WRONLY | constants.O_NONBLOCK);
      writeSync(file, text);
      closeSync(file);
    } catch {
      // Nobody reads it (any more).
    }
  };
  onTestFinished(() => answer(""));
  return { path, answer };
}

test("withDeadline() passes on what a read gives, and what it throws", async () => {
  expect(await withDeadline("x", 1000, async () => 7)).toBe(7);
  await expect(withDeadline("x", 1000, () => readFile("/not/there"))).rejects.toMatchObject({ code: "ENOENT" });
});

test("withDeadline() answers in time when a read hangs (a mount that was gone locked everything up elsewhere), and recovers when it goes on", async () => {
  const hung = [await hungFile(), await hungFile(), await hungFile()];
  const began = performance.now();
  const reads: Promise<string>[] = [];
  const late = hung.map(({ path }) =>
    withDeadline("the marker", 150, () => {
      const read = readFile(path, "utf8");
      reads.push(read);
      return read;
    }),
  );
  for (const read of late) {
    await expect(read).rejects.toMatchObject({ code: "nas_unreachable", message: /the marker.*within 0\.15 s/ });
  }
  expect(performance.now() - began).toBeLessThan(2000);

  let begun = false;
  const refused = withDeadline("state", 60_000, async () => {
    begun = true;
  });
  await expect(refused).rejects.toMatchObject({ code: "nas_unreachable", message: /still hang/ });
  expect(begun).toBe(false);
  // One thread of the process is still free for everything else.
  expect(await readFile("/proc/self/comm", "utf8").catch(() => "no /proc")).not.toBe("");

  hung[0]?.answer("here again");
  expect(await reads[0]).toBe("here again");
  expect(await withDeadline("state", 1000, async () => "read")).toBe("read");
});

test("withDeadline() lets many reads at once wait for their turn", async () => {
  // Of its own: a read that hung in another test may not have let go of its turn yet.
  vi.resetModules();
  const { withDeadline } = await import("./deadline.ts");
  let most = 0;
  let now = 0;
  const reads = Array.from({ length: 12 }, (_, index) =>
    withDeadline("state", 60_000, async () => {
      most = Math.max(most, ++now);
      await new Promise((resolve) => setImmediate(resolve));
      now--;
      return index;
    }),
  );
  expect(await Promise.all(reads)).toEqual([...Array(12).keys()]);
  expect(most).toBe(3);
});

test("withDeadline() leaves no timer behind that keeps the process alive", async () => {
  const timers = () => process.getActiveResourcesInfo().filter((name) => name === "Timeout").length;
  const before = timers();
  await withDeadline("x", 60_000, async () => 1);
  expect(timers()).toBeLessThanOrEqual(before);
});
