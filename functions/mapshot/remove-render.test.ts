import { mkdir, readdir, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { stopDeadAt, tempFolder, testDisk } from "../../shared/testing.ts";
import { hasRenderFiles, removeRender } from "./remove-render.ts";
import { testContext } from "./testing.ts";

async function lab({ tiles = 5 } = {}) {
  const folder = await tempFolder("memory");
  const path = join(folder, "d-00000001");
  for (const layer of ["s1zoom_0", "s1zoom_1", "zoom_2"]) await mkdir(join(path, layer), { recursive: true });
  await writeFile(join(path, "mapshot.json"), "{}");
  for (let n = 0; n < tiles; n++) await writeFile(join(path, "s1zoom_0", `tile_${n}_-${n}.jpg`), "tile");
  return { folder, path, ...testContext({}) };
}

test("removeRender() takes a large render away in steps of a thousand tiles, mapshot.json first", async () => {
  const { folder, path, ctx, steps } = await lab({ tiles: 2500 });
  await removeRender(ctx, path);
  expect(await readdir(folder)).toEqual([]);
  expect(steps[0]).toBe(`remove ${path}/mapshot.json`);
  expect(steps.filter((step) => step.includes("tiles in"))).toHaveLength(3);
});

test("removeRender() leaves what is no part of a render, and follows no link", async () => {
  const { folder, path, ctx } = await lab();
  const elsewhere = await tempFolder();
  await writeFile(join(elsewhere, "tile_0_0.jpg"), "mine");
  await symlink(elsewhere, join(path, "s2zoom_0"));
  await writeFile(join(path, "s1zoom_0/.DS_Store"), "Finder was here");
  await writeFile(join(path, "s1zoom_0/tile_1_1.png"), "mine");
  await removeRender(ctx, path);
  expect(await readdir(path)).toEqual(["s1zoom_0", "s2zoom_0"]);
  expect(await readdir(join(path, "s1zoom_0"))).toEqual([".DS_Store", "tile_1_1.png"]);
  expect(await readdir(elsewhere)).toEqual(["tile_0_0.jpg"]);
  expect(await hasRenderFiles(path)).toBe(false);
  expect(await readdir(folder)).toEqual(["d-00000001"]);
});

test("removeRender() stopped at any step is finished by the next call", async () => {
  for (let at = 1; ; at++) {
    const { folder, path, ctx } = await lab();
    const ended = await stopDeadAt(at, (step) => removeRender({ ...ctx, step, disk: testDisk(step) }, path));
    if (ended === "ended") break;
    expect(await hasRenderFiles(path)).toBe(true);
    await removeRender(ctx, path);
    expect(await readdir(folder)).toEqual([]);
    expect(at).toBeLessThan(50);
  }
});
