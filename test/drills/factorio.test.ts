import { copyFile, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { app } from "../../functions/factorio/app.ts";
import { listPoints } from "../../shared/nas/points.ts";
import { layLab, places, play } from "../worlds/factorio.ts";
import { backUp, drill, expectRejected, foldersOf, manifests, newest, plant, untouched } from "./drilling.ts";

let lab: { folder: string; app: string };
beforeEach(async () => {
  lab = { folder: await mkdtemp(join(tmpdir(), "keepsake-drill-")), app: "factorio" };
  await layLab(lab.folder);
  for (const tick of [1000, 2000]) {
    await play(lab.folder, tick, { levelBytes: 100 * tick });
    await backUp(lab);
  }
});
afterEach(() => rm(lab.folder, { recursive: true, force: true }));

test("a drill proves the newest save, the next one an older one, and touches nothing of production", async () => {
  const [older, newer] = await manifests(lab);
  const production = [places(lab.folder).saves];
  const first = await untouched(lab, production, () => drill(lab));
  expect(first).toMatchObject({
    outcome: "proven",
    point: { id: newer?.id },
    drill: {
      pointId: newer?.id,
      tookMs: expect.any(Number),
      compared: expect.arrayContaining(["its sha256", "level bytes"]),
    },
  });
  expect(await untouched(lab, production, () => drill(lab))).toMatchObject({
    outcome: "proven",
    drill: { pointId: older?.id },
  });
  expect(await drill(lab)).toMatchObject({ drill: { pointId: newer?.id } });
});

test("a drill goes on without the app's own data: it needs the NAS alone", async () => {
  await rm(places(lab.folder).saves, { recursive: true });
  expect(await drill(lab)).toMatchObject({ outcome: "proven" });
});

test("an older save in the place of the newest is rejected, though its sums are right", async () => {
  const [older] = await manifests(lab);
  const from = join(foldersOf(lab).history, older?.files[0]?.name as string);
  await plant(lab, "save", (path) => copyFile(from, path));
  await expectRejected(
    lab,
    /level bytes 200000 was recorded .* 100000 was restored/,
    (await newest(lab)).files[0]?.name as string,
  );
});

test("an empty save is rejected, counts for nothing from then on, and the next backup is a new one", async () => {
  await plant(lab, "save", (path) => writeFile(path, ""));
  const { failure } = await expectRejected(lab, /factorio-\d+-\d+\.zip/);
  expect(failure?.hint).toContain("make list-factorio");
  const points = await listPoints(foldersOf(lab), app.artefacts);
  expect(points.map(({ good }) => good)).toEqual([true, false]);
  expect((await backUp(lab)).outcome).toBe("created");
});
