import { expect, test } from "vitest";
import { ProgressDisplay } from "./progress-display.ts";
import { FakeTerminal } from "./testing/fake-terminal.ts";

const line = (phase: string, doneBytes: number) => ({
  type: "progress" as const,
  at: "2025-12-19T22:00:00Z",
  phase,
  doneBytes,
  totalBytes: 1000,
});

test("ProgressDisplay without a terminal writes each phase once, then a line now and then, also when phases take turns", () => {
  const terminal = new FakeTerminal(false);
  let now = 0;
  const display = new ProgressDisplay(terminal, "Factorio", () => now);
  for (let done = 0; done < 1000; done += 10) {
    now += 500;
    display.show(line("verifying", done));
    display.show(line("copying", done));
  }
  expect(terminal.stderr.slice(0, 2)).toEqual(["Factorio  verifying", "Factorio  copying"]);
  expect(terminal.stderr[2]).toMatch(/^Factorio {2}verifying {2}\d+ % {2}\d+ B of 1\.0 kB/);
  expect(terminal.stderr).toHaveLength(2 + 4);
});

test("ProgressDisplay draws nothing while the user is being asked", () => {
  const terminal = new FakeTerminal();
  const display = new ProgressDisplay(terminal, "Factorio");
  display.paused = true;
  display.show(line("copying", 10));
  expect(terminal.drawn).toEqual([]);
});
