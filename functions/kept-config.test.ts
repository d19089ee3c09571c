import { readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { loadConfig, parseSettings } from "../shared/config.ts";
import { boxType, tempFolder } from "../shared/testing.ts";
import { loadKeptConfig } from "./kept-config.ts";
import { loadAppTypes } from "./types.ts";

async function place(text = "nas: ./nas\ntimeZone: Europe/Berlin\nnasOwner: '1000:1000'\napps: { box: {} }") {
  const folder = await tempFolder();
  const path = join(folder, "keepsake.yaml");
  await writeFile(path, text);
  const kept = join(folder, "parts/main/config.json");
  const load = () => loadKeptConfig(path, [boxType], join(folder, "parts/main/backup-box"));
  return { folder, path, kept, load };
}

test("loadKeptConfig() gives what loadConfig() gives, the first time and again", async () => {
  const { path, kept, load } = await place();
  const wanted = await loadConfig(path, [boxType]);
  expect(await load()).toEqual(wanted);
  expect(await load()).toEqual(wanted);
  // It is what was kept that is given.
  const { settings, ...rest } = JSON.parse(await readFile(kept, "utf8"));
  await writeFile(kept, JSON.stringify({ ...rest, settings: { ...settings, nas: "/kept" } }));
  expect((await load()).nas).toBe("/kept");
});

test("loadKeptConfig() reads a file that was changed, however little, and one of another folder", async () => {
  const { folder, path, load } = await place();
  await load();
  await writeFile(path, (await readFile(path, "utf8")).replace("./nas", "./naz"));
  expect((await load()).nas).toBe(join(folder, "naz"));
  const other = join(await tempFolder(), "keepsake.yaml");
  await writeFile(other, await readFile(path, "utf8"));
  const config = await loadKeptConfig(other, [boxType], join(folder, "parts/main/backup-box"));
  expect([config.path, config.nas]).toEqual([other, join(other, "../naz")]);
});

test("loadKeptConfig() goes by the file when what was kept is damaged, and keeps no mistake", async () => {
  const { folder, path, kept, load } = await place();
  const config = await load();
  for (const text of ["", "{", "null", "\0\0\0\0"]) {
    await writeFile(kept, text);
    expect(await load()).toEqual(config);
  }
  await writeFile(path, "nass: ./nas");
  await expect(load()).rejects.toThrow(/nass/);
  await writeFile(path, "nas: ./nas\ntimeZone: Europe/Berlin\nnasOwner: '1000:1000'\napps: { box: {} }");
  expect(await load()).toEqual(config);
  expect(await readdir(join(folder, "parts/main"))).toEqual(["config.json"]);
});

test("loadKeptConfig() keeps nothing where nothing is kept, and does without a place to write to", async () => {
  const { folder, path } = await place();
  const config = await loadConfig(path, [boxType]);
  expect(await loadKeptConfig(path, [boxType], undefined)).toEqual(config);
  expect(await loadKeptConfig(path, [boxType], join(path, "parts/main/backup-box"))).toEqual(config);
  expect(await readdir(folder)).toEqual(["keepsake.yaml"]);
  await expect(loadKeptConfig(join(folder, "none.yaml"), [boxType], folder)).rejects.toMatchObject({
    code: "invalid_config",
  });
});

test("the settings of all apps are what is read again of what was kept", async () => {
  const types = await loadAppTypes();
  const path = join(import.meta.dirname, "../deploy/keepsake.yaml");
  const settings = parseSettings(await readFile(path, "utf8"), path, types);
  expect(settings.apps.map(({ type }) => type).toSorted()).toEqual(types.map(({ type }) => type).toSorted());
  expect(JSON.parse(JSON.stringify(settings))).toEqual(settings);
});
