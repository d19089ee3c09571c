import { symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { firstFiles, labRender } from "../../deploy/local/lab/mapshot/make-render.ts";
import { tempFolder } from "../../shared/testing.ts";
import { readMapshotJson } from "./mapshot-json.ts";

const [[, real] = ["", ""]] = firstFiles(labRender);
const written = JSON.parse(String(real));
type Json = typeof written;

async function read(content: Json | string) {
  const path = join(await tempFolder(), "mapshot.json");
  await writeFile(path, typeof content === "string" ? content : JSON.stringify(content));
  return readMapshotJson(path, "source_invalid");
}
const withSurface = (changes: object) => ({ ...written, surfaces: [{ ...written.surfaces[0], ...changes }] });

test("readMapshotJson() reads what the mod writes, empty Lua tables and all", async () => {
  expect(await read(written)).toMatchObject({
    seed: 2763008102,
    game_version: "2.0.72",
    surfaces: [{ surface_name: "nauvis" }, { surface_name: "platform-1" }],
  });
  expect((await read({ ...written, surfaces: {} })).surfaces).toEqual([]);
  // Before 0.0.21 it named no versions, and more may come.
  const { game_version: _, active_mods: __, ...older } = written;
  expect(await read({ ...older, something_new: 1 })).not.toHaveProperty("game_version");
  expect(await read({ ...written, active_mods: [] })).toMatchObject({ active_mods: {} });
});

test.each<[string, Json | string]>([
  ["cut short", JSON.stringify(written).slice(0, -40)],
  ["empty", ""],
  ["of Mapshot before 0.0.14", { ...written, surfaces: undefined, tile_size: 1024, world_min: { x: 0, y: 0 } }],
  ["with a prefix that leads elsewhere", withSurface({ file_prefix: "../../etc/" })],
  ["with the prefix of another surface", withSurface({ file_prefix: "s9zoom_" })],
  ["with a world larger than any", withSurface({ world_max: { x: 1e9, y: 1 } })],
  ["with a world inside out", withSurface({ world_min: { x: 64, y: 0 }, world_max: { x: -64, y: 0 } })],
  ["with a number that is none", withSurface({ world_min: { x: "0", y: 0 } })],
  ["with tiles of nothing", withSurface({ tile_size: 0 })],
  ["with a zoom that goes on", withSurface({ zoom_max: 1e9 })],
  ["with half a zoom to begin with", withSurface({ zoom_min: 0.5 })],
  ["with zooms backwards", withSurface({ zoom_min: 3, zoom_max: 2 })],
  ["with an id that is a path", { ...written, unique_id: "../../x" }],
  ["with a surface twice", { ...written, surfaces: [written.surfaces[0], written.surfaces[0]] }],
  ["with surfaces without end", { ...written, surfaces: new Array(10_001).fill(written.surfaces[0]) }],
])("readMapshotJson() refuses one %s", async (_, content) => {
  await expect(read(content)).rejects.toMatchObject({
    code: "source_invalid",
    message: expect.stringContaining("mapshot.json"),
  });
});

test("readMapshotJson() follows no link, and reads no folder and nothing endless", async () => {
  const folder = await tempFolder();
  await symlink("/etc/passwd", join(folder, "link"));
  for (const path of [join(folder, "link"), folder, "/dev/zero", join(folder, "missing")]) {
    await expect(readMapshotJson(path, "backup_damaged"), path).rejects.toMatchObject({ code: "backup_damaged" });
  }
});
