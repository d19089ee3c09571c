import { expect, test } from "vitest";
import { createStep } from "./step.ts";

test("createStep() asks the fence, then tells of the change, then makes it, and gives what it gave", async () => {
  const seen: string[] = [];
  const step = createStep({
    fence: async () => void seen.push("fence"),
    onStep: async (what) => void seen.push(what),
  });
  const result = await step("rename a to b", async () => {
    seen.push("changed");
    return 7;
  });
  expect(result).toBe(7);
  expect(seen).toEqual(["fence", "rename a to b", "changed"]);
});

test("createStep() makes no change, and tells of none, when the fence throws: the run has lost its lock", async () => {
  const seen: string[] = [];
  const step = createStep({
    fence: () => Promise.reject(new Error("lock lost")),
    onStep: (what) => void seen.push(what),
  });
  await expect(step("remove a", async () => void seen.push("changed"))).rejects.toThrow("lock lost");
  expect(seen).toEqual([]);
});

test("createStep() passes on what a change throws", async () => {
  await expect(createStep()("remove a", () => Promise.reject(new Error("EACCES")))).rejects.toThrow("EACCES");
});
