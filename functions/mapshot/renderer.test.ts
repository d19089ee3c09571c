import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, onTestFinished, test, vi } from "vitest";
import { identify, stateOf } from "../../shared/run/process-identity.ts";
import { tempFolder } from "../../shared/testing.ts";
import { type RendererOptions, runRenderer } from "./renderer.ts";

async function lab(changes: Partial<RendererOptions> = {}) {
  const folder = await tempFolder();
  const lines: string[] = [];
  const cancel = new AbortController();
  const options = {
    folder,
    env: { SAVE: join(folder, "my save.zip"), WORK: folder },
    timeoutMs: 30_000,
    graceMs: 30_000,
    signal: cancel.signal,
    onLine: (line: string) => void lines.push(line),
    ...changes,
  };
  const run = (command: string) => runRenderer({ ...options, command });
  /** Waits until a process has told its number, then says what it is. */
  const processIn = async (name: string) => {
    for (;;) {
      const pid = Number(await readFile(join(folder, name), "utf8").catch(() => ""));
      if (pid > 0) return identify(pid);
      await new Promise(setImmediate);
    }
  };
  return { folder, lines, cancel, run, processIn };
}

test("runRenderer() hands over the save and a folder, tells each line, and believes status 0 with an output", async () => {
  const { run, folder, lines } = await lab();
  const rendered = await run('printf "one\\ntwo"; echo; echo "$SAVE" >&2; pwd; echo "Output: $WORK/d-50f60503"');
  expect(rendered).toEqual({ output: `${folder}/d-50f60503`, hung: false });
  expect(lines.toSorted()).toEqual(
    [folder, `${folder}/my save.zip`, `Output: ${folder}/d-50f60503`, "one", "two"].toSorted(),
  );
});

test.each([
  ["no output", "echo started", /"Output: <path>" is wanted, it ended without/],
  ["a status that is not 0, whatever it told", "echo Output: /x/d-50f60503; echo broken >&2; exit 3", /is 3.*broken/s],
  ["a crash", "kill -SEGV $$", /is SIGSEGV/],
  ["a command that is not there", "no-such-renderer", /is 127.*no-such-renderer/s],
  ["an output that is no path", "echo Output: relative/d-50f60503", /it ended without/],
])("runRenderer() refuses %s", async (_, command, why) => {
  const { run } = await lab();
  await expect(run(command)).rejects.toMatchObject({ code: "tool_failed", message: expect.stringMatching(why) });
});

test("runRenderer() says what to do when another Factorio, or its lock, is in the way", async () => {
  const { run } = await lab();
  await expect(run("echo Is another instance already running?; exit 1")).rejects.toMatchObject({
    hint: expect.stringContaining(".lock"),
  });
});

test("runRenderer() ends a renderer that is done and does not end, with all that it has started", async () => {
  const { run, processIn } = await lab({ graceMs: 50 });
  const running = run('sleep 100 & echo $! > child; echo "Output: /x/d-50f60503"; wait');
  const child = await processIn("child");
  expect(await running).toEqual({ output: "/x/d-50f60503", hung: true });
  expect(await stateOf(child)).toBe("gone");
});

test("runRenderer() ends a renderer that takes too long, though it does not want to end", async () => {
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
  onTestFinished(() => void vi.useRealTimers());
  const { run, processIn } = await lab({ timeoutMs: 3_600_000, patienceMs: 5000 });
  const outcome = run("trap '' TERM; sleep 100 & echo $! > child; while :; do sleep 0.05; done").catch(
    (error) => error,
  );
  const child = await processIn("child");
  vi.advanceTimersByTime(3_599_999);
  expect(await stateOf(child)).toBe("alive");
  vi.advanceTimersByTime(1);
  vi.advanceTimersByTime(5000);
  expect(await outcome).toMatchObject({
    code: "tool_failed",
    message: expect.stringContaining("within 1 h, did not come"),
  });
  expect(await stateOf(child)).toBe("gone");
});

test("runRenderer() ends the renderer of a run that is cancelled", async () => {
  const { run, cancel, processIn } = await lab();
  const running = run("sleep 100 & echo $! > child; wait");
  const outcome = expect(running).rejects.toThrow("enough");
  const child = await processIn("child");
  cancel.abort(new Error("enough"));
  await outcome;
  expect(await stateOf(child)).toBe("gone");
});

test("runRenderer() does not wait for what it has left behind, and ends it", async () => {
  const { run, processIn } = await lab();
  const running = run(
    '(sleep 100 & echo $! > child; wait) & while [ ! -s child ]; do :; done; echo "Output: /x/d-50f60503"',
  );
  const child = await processIn("child");
  expect(await running).toMatchObject({ hung: false });
  expect(await stateOf(child)).toBe("gone");
});

test("runRenderer() keeps a flood of output out of memory and out of its message", async () => {
  const { run, folder } = await lab();
  await writeFile(join(folder, "flood.sh"), "head -c 30000000 /dev/zero | tr '\\0' x; echo; exit 1");
  const before = process.memoryUsage().rss;
  const failure = await run("sh flood.sh").catch((error) => error);
  expect(failure.message.length).toBeLessThan(20_000);
  expect(process.memoryUsage().rss - before).toBeLessThan(100e6);
});

test("runRenderer() starts nothing before its process is remembered, nor when it cannot be", async () => {
  let known = false;
  const { run, folder } = await lab({
    onStart: async (pid) => {
      expect(await stateOf(await identify(pid))).toBe("alive");
      known = !(await readFile(join(folder, "started"), "utf8").catch(() => ""));
    },
  });
  await run("echo yes > started; echo Output: /x/d-50f60503");
  expect([known, await readFile(join(folder, "started"), "utf8")]).toEqual([true, "yes\n"]);
  const lost = await lab({ onStart: () => Promise.reject(new Error("the lock is lost")) });
  await expect(lost.run("echo yes > started; echo Output: /x/d-50f60503")).rejects.toThrow("the lock is lost");
  await expect(readFile(join(lost.folder, "started"))).rejects.toMatchObject({ code: "ENOENT" });
});

test("runRenderer() tells no token that stands in an address", async () => {
  const { run, lines } = await lab();
  const failure = await run("echo https://example.org/get?username=me\\&token=s3cret; exit 1").catch((error) => error);
  expect(`${failure.message} ${failure.hint} ${lines.join()}`).not.toMatch(/s3cret|=me/);
  expect(lines.join()).toContain("token=…");
});
