import { open, readdir, readFile, rename, rm, symlink, truncate, unlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import {
  labRender,
  nauvis,
  type RenderState,
  tilesOf,
  writeRender,
} from "../../deploy/local/lab/mapshot/make-render.ts";
import { tempFolder } from "../../shared/testing.ts";
import { type EmptyTiles, lookForDamage } from "./complete.ts";
import { filesOf, lookAtFiles } from "./render-files.ts";
import { openRender } from "./render-folder.ts";

async function lab(changes: Partial<RenderState> = {}) {
  const folder = await tempFolder("memory");
  const hash = await writeRender(folder, changes);
  const path = join(folder, `d-${hash}`);
  const look = async (emptyTiles: EmptyTiles = "rendered") =>
    lookForDamage(await openRender(folder, "source_invalid"), { emptyTiles });
  return { folder, hash, path, look, tiles: [...tilesOf({ ...labRender, ...changes })] };
}

test("lookForDamage() finds a complete render complete, and counts its tiles", async () => {
  const { look, tiles } = await lab();
  expect(await look()).toEqual({ tiles: tiles.length, sizeBytes: expect.any(Number) });
  expect((await look()).sizeBytes).toBe(tiles.reduce((sum, { bytes }) => sum + bytes().length, 0));
});

test("lookForDamage() finds any one tile that is missing, and names it", async () => {
  const { folder, look, tiles } = await lab({ surfaces: [nauvis], tileMax: 64 });
  for (const { path, bytes } of tiles) {
    await unlink(join(folder, path));
    expect((await look()).damage).toMatchObject({ file: join(folder, path), unfinished: true });
    await writeFile(join(folder, path), bytes());
  }
  expect((await look()).damage).toBeUndefined();
});

const last = "s1zoom_2/tile_4_3.jpg";
test.each<[string, (path: string) => Promise<unknown>, RegExp]>([
  ["empty", (path) => truncate(path, 0), /0 bytes/],
  ["cut short", async (path) => truncate(path, (await readFile(path)).length - 2), /its end is missing/],
  ["no picture", (path) => writeFile(path, "<html>404</html>"), /a JPEG is wanted/],
  [
    "zeros, as a crash leaves them",
    async (path) => writeFile(path, Buffer.alloc((await readFile(path)).length)),
    /a JPEG/,
  ],
  ["a link", (path) => unlink(path).then(() => symlink("/etc/passwd", path)), /a file is wanted/],
])("lookForDamage() finds a tile that is %s", async (_, damageIt, why) => {
  const { path, look } = await lab();
  await damageIt(join(path, last));
  expect((await look()).damage).toMatchObject({ file: join(path, last), why: expect.stringMatching(why) });
});

test("lookForDamage() finds a surface that was listed and not rendered (Palats/mapshot#55)", async () => {
  for (const emptyTiles of ["rendered", "skipped"] as const) {
    const { path, look } = await lab();
    for (const name of await readdir(path)) {
      if (!name.startsWith("s2zoom_")) continue;
      for (const tile of await readdir(join(path, name))) await unlink(join(path, name, tile));
    }
    expect((await look(emptyTiles)).damage).toMatchObject({
      why: expect.stringContaining('the surface "platform-1"'),
      hint: expect.stringContaining("Space Age"),
    });
    await rm(join(path, "s2zoom_0"), { recursive: true });
    expect((await look(emptyTiles)).damage?.why).toContain('the surface "platform-1"');
  }
});

test("lookForDamage() takes a render without its empty tiles only when the settings say so", async () => {
  const { look, tiles } = await lab({ skipEmpty: true });
  expect((await look()).damage?.why).toContain("it is not there");
  expect(await look("skipped")).toMatchObject({ tiles: tiles.length });
  expect((await look("skipped")).damage).toBeUndefined();
});

test("lookForDamage() finds a hole where empty tiles are skipped: a tile without the one above it, or without any below", async () => {
  const { folder, path, look, tiles } = await lab({ skipEmpty: true });
  const above = join(path, "s1zoom_1/tile_0_0.jpg");
  await rename(above, `${above}.away`);
  expect((await look("skipped")).damage).toMatchObject({ file: above });
  await rename(`${above}.away`, above);
  const below = tiles.filter((tile) => /s1zoom_2\/tile_[01]_[01]\.jpg/.test(tile.path));
  expect(below).toHaveLength(4);
  for (const tile of below) await unlink(join(folder, tile.path));
  expect((await look("skipped")).damage).toMatchObject({ file: above, why: expect.stringContaining("four tiles") });
});

test("lookForDamage() does not care what else lies there", async () => {
  const { path, look, tiles } = await lab();
  await writeFile(join(path, ".DS_Store"), "Finder");
  await writeFile(join(path, "s1zoom_0/tile_99_99.jpg"), "of an earlier render");
  expect(await look()).toMatchObject({ tiles: tiles.length });
});

test("filesOf() gives every file of the render and no other, mapshot.json last", async () => {
  const { folder, path, tiles, hash } = await lab();
  await writeFile(join(path, "s1zoom_0/tile_99_99.jpg"), "of an earlier render");
  const render = await openRender(folder, "source_invalid");
  const files: string[] = [];
  for await (const file of filesOf(render, { emptyTiles: "rendered" })) files.push(file.path);
  expect(files.at(-1)).toBe("mapshot.json");
  expect(files.slice(0, -1)).toEqual(tiles.map((tile) => tile.path.replace(`d-${hash}/`, "")).sort());
});

test("lookAtFiles() notices every touch, and a tile that has gone", async () => {
  const { folder, path } = await lab();
  const render = await openRender(folder, "source_invalid");
  const look = () => lookAtFiles(render, { emptyTiles: "rendered" });
  const first = await look();
  expect(await look()).toEqual(first);
  const tile = join(path, last);
  const file = await open(tile, "r+");
  await file.write(Buffer.from([0xff]), 0, 1, 0);
  await file.close();
  expect((await look()).fingerprint).not.toBe(first.fingerprint);
  await unlink(tile);
  await expect(look()).rejects.toMatchObject({ code: "source_changing", message: expect.stringContaining(last) });
});
