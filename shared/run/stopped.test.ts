import { expect, test } from "vitest";
import { Failure } from "../failures.ts";
import { createStep } from "../step.ts";
import { boxContext, boxRun, makeNas } from "../testing.ts";
import type { Result } from "./app-run.ts";
import { whileStopped } from "./stopped.ts";

const made: Result = { outcome: "created", message: "Box: one.box made and verified" };

/** @param down What the app says instead of starting. */
async function stoppable(down?: Failure) {
  const { folders } = await makeNas();
  const events: string[] = [];
  const workload = {
    stoppedBy: async () => undefined,
    stop: async () => void events.push("stop"),
    start: async () => {
      events.push("start");
      if (down) throw down;
    },
    release: async () => void events.push("release"),
  };
  const run = { ...boxRun(boxContext(createStep()), folders), workload };
  const capture = (error?: Error) =>
    whileStopped(
      run,
      async () => {
        events.push("work");
        if (error) throw error;
        return "copy";
      },
      async (value) => {
        events.push(`publish ${value}`);
        return made;
      },
    );
  return { capture, events };
}

const notReady = () => new Failure("workload_failed", 'Cannot start "box": it is not ready', { hint: "Look." });

test("whileStopped() goes on with the app back, and tells what came of it", async () => {
  const { capture, events } = await stoppable();
  expect(await capture()).toEqual(made);
  expect(events).toEqual(["stop", "work", "start", "release", "publish copy"]);
});

test("whileStopped() keeps what was copied when the app does not come back, and fails with both", async () => {
  const { capture, events } = await stoppable(notReady());
  await expect(capture()).rejects.toMatchObject({
    code: "workload_failed",
    message: expect.stringMatching(/not ready.*one\.box made and verified/),
    hint: "Look.",
  });
  expect(events, "it is still known that the app has to be brought back").toEqual([
    "stop",
    "work",
    "start",
    "publish copy",
  ]);
});

test("whileStopped() tells of the copy that failed also when the app does not come back", async () => {
  const { capture } = await stoppable(notReady());
  await expect(capture(new Error("the disk died"))).rejects.toMatchObject({
    code: "workload_failed",
    message: expect.stringMatching(/not ready.*the disk died/),
  });
});

test("whileStopped() publishes nothing when the lock is lost", async () => {
  const { capture, events } = await stoppable(new Failure("lock_lost", "The lock is lost"));
  await expect(capture()).rejects.toMatchObject({ code: "lock_lost" });
  await expect(capture(new Error("the disk died"))).rejects.toMatchObject({ code: "lock_lost" });
  expect(events).not.toContain("publish copy");
});
