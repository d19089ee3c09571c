import { readFile } from "node:fs/promises";
import { expect, test } from "vitest";
import { listPoints } from "../nas/points.ts";
import { createStep, type Step } from "../step.ts";
import { boxArtefact, boxContext, boxRun, makeNas, makePoint, readTree, stepsOf, stopDeadAt, tempFolder, writeTree } from "../testing.ts"; // biome-ignore format: one line reads better
import { runPin } from "./pin.ts";

const [first, second] = ["20251219-000000", "20251219-060000"] as const;
const nameOf = (id: string) => boxArtefact.naming.name(id);

async function twoPoints(where: "disk" | "memory" = "disk") {
  const { folders } = await makeNas(await tempFolder(where));
  await makePoint(folders, first, { sequence: 1 });
  await makePoint(folders, second, { sequence: 2 });
  const states = async () =>
    (await listPoints(folders, [boxArtefact])).map(({ id, pinned, good }) => [id, pinned, good]);
  const pin = (operation: "pin" | "unpin", at: string, step: Step = createStep()) =>
    runPin(boxRun(boxContext(step), folders), { operation, at });
  return { folders, states, pin };
}

test("runPin() moves a point to pinned/ and back, and says so in SHA256SUMS", async () => {
  const { folders, states, pin } = await twoPoints();
  expect(await pin("pin", first)).toMatchObject({ outcome: "pinned", point: { id: first } });
  expect(await states()).toEqual([
    [first, true, true],
    [second, false, true],
  ]);
  expect(await readFile(folders.sums, "utf8")).toContain(`  box/backups/pinned/${nameOf(first)}\n`);
  expect(await pin("pin", first)).toMatchObject({ outcome: "pinned" });
  expect(await pin("unpin", first)).toMatchObject({ outcome: "unpinned" });
  expect(await states()).toEqual([
    [first, false, true],
    [second, false, true],
  ]);
});

test("runPin() finds the point by a time, too, and says when there is none", async () => {
  const { states, pin } = await twoPoints();
  await pin("pin", "2025-12-19 05:59");
  expect(await states()).toEqual([
    [first, true, true],
    [second, false, true],
  ]);
  await expect(pin("pin", "20250101-000000")).rejects.toMatchObject({ code: "not_found" });
});

test("runPin() replaces nothing that somebody put there by hand", async () => {
  const { folders, pin } = await twoPoints();
  await pin("pin", first);
  await writeTree(folders.history, { [nameOf(first)]: "a person's" });
  await expect(pin("unpin", first)).rejects.toMatchObject({ code: "target_exists" });
  expect(await readTree(folders.history)).toMatchObject({ [nameOf(first)]: "a person's" });
});

test("runPin() stopped dead at any change leaves every point good, in one of the two folders, and can be called again", async () => {
  for (const operation of ["pin", "unpin"] as const) {
    const world = async () => {
      const made = await twoPoints("memory");
      if (operation === "unpin") await made.pin("pin", first);
      return made;
    };
    const counted = await world();
    const count = (await stepsOf((step) => counted.pin(operation, first, step))).length;
    for (let at = 1; at <= count; at += 1) {
      const { folders, states, pin } = await world();
      await stopDeadAt(at, (step) => pin(operation, first, step));
      expect((await states()).map(([id, , good]) => [id, good])).toEqual([
        [first, true],
        [second, true],
      ]);
      const files = [...Object.keys(await readTree(folders.history)), ...Object.keys(await readTree(folders.pinned))];
      expect(files.toSorted()).toEqual([nameOf(first), nameOf(second)]);
      await pin(operation, first);
      expect(await states()).toEqual([
        [first, operation === "pin", true],
        [second, false, true],
      ]);
    }
  }
});
