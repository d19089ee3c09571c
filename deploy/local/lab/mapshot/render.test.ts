import { execFile, spawn } from "node:child_process";
import { readdir, readFile, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { promisify } from "node:util";
import { expect, test } from "vitest";
import { lookForDamage } from "../../../../functions/mapshot/complete.ts";
import { openRender } from "../../../../functions/mapshot/render-folder.ts";
import { tempFolder } from "../../../../shared/testing.ts";
import { writeSave } from "../factorio/make-save.ts";
import { flatJpeg } from "./jpeg.ts";

const exec = promisify(execFile);
const script = join(import.meta.dirname, "render.ts");

async function lab() {
  const folder = await tempFolder();
  const save = join(folder, "latest.zip");
  await writeSave(save, "homelab", { seed: 7, tick: 3600, saves: 1, levelBytes: 100_000 });
  const args = (...more: string[]) => [
    script,
    "render",
    "--logtostderr",
    "--factorio_datadir",
    join(folder, "factorio"),
    ...more,
    save,
  ];
  const renders = join(folder, "factorio/script-output/mapshot/latest");
  return {
    folder,
    renders,
    args,
    render: async (...more: string[]) => (await exec(process.execPath, args(...more))).stdout,
    open: () => openRender(renders, "source_invalid"),
    damage: async () =>
      (await lookForDamage(await openRender(renders, "source_invalid"), { emptyTiles: "rendered" })).damage,
  };
}

test("render.ts leaves a complete render under the save's name, and tells in which order it did so", async () => {
  const { folder, render, renders, open, damage } = await lab();
  const lines = (await render("--surface", "_all_", "-v", "5")).split("\n");
  const { name, info } = await open();
  expect(await damage()).toBeUndefined();
  expect(info.surfaces).toHaveLength(2);
  const told = [
    "Starting Factorio",
    "Unique ID",
    "all screenshots started",
    "marking as done @3600",
    `Output: ${renders}/${name}`,
  ];
  const at = told.map((line) => lines.findIndex((found) => found.includes(line)));
  expect(at).toEqual(at.toSorted((a, b) => a - b));
  expect(at).not.toContain(-1);
  expect(await readdir(join(folder, "factorio/script-output"))).toEqual(["mapshot"]);
});

test("render.ts gives the same save the same name, with other settings too, and writes over what is there", async () => {
  const { render, renders, open } = await lab();
  await render();
  const { name } = await open();
  const first = await readFile(join(renders, name, "s1zoom_0/tile_0_0.jpg"));
  await render("--tilemin", "64", "--minjpgquality", "0");
  expect((await open()).name).toBe(name);
  expect((await open()).layers.some(({ zoom }) => zoom === 2)).toBe(false);
  // What the finer render had is still there.
  expect((await stat(join(renders, name, "s1zoom_2"))).isDirectory()).toBe(true);
  expect(await readFile(join(renders, name, "s1zoom_0/tile_0_0.jpg"))).toEqual(first);
});

test.each([
  ["crash", 1],
  ["silent", 0],
  ["nauvis", 0],
  ["unfinished", 0],
])("render.ts goes wrong as it is told to: %s", async (fail, status) => {
  const { render, damage } = await lab();
  const { code = 0, stdout } = await render("--fail", fail).then(
    (stdout) => ({ code: 0, stdout }),
    (error) => error,
  );
  expect(code).toBe(status);
  expect(stdout.includes("Output: ")).toBe(fail === "nauvis" || fail === "unfinished");
  if (fail !== "silent") expect(await damage()).toBeDefined();
});

test("render.ts does not start over the lock of one that was killed", async () => {
  const { folder, args, render } = await lab();
  const hanging = spawn(process.execPath, args("--fail", "hang"), { stdio: ["ignore", "pipe", "ignore"] });
  for await (const line of createInterface({ input: hanging.stdout })) if (line.startsWith("Output: ")) break;
  hanging.kill("SIGKILL");
  await expect(render()).rejects.toMatchObject({ code: 1, stdout: expect.stringContaining("already running") });
  await rm(join(folder, "factorio/.lock"));
  await render();
});

test("flatJpeg() is as large as it is told to be, and each shade is another picture", () => {
  const [one, other] = [flatJpeg(64, 1, "a"), flatJpeg(64, 2, "a")];
  expect(one.subarray(0, 2)).toEqual(Buffer.from([0xff, 0xd8]));
  expect(one.subarray(-2)).toEqual(Buffer.from([0xff, 0xd9]));
  expect(one).not.toEqual(other);
  expect(flatJpeg(1024, 3, Buffer.alloc(200_000)).length).toBeGreaterThan(200_000);
});
