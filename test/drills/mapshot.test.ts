import { readFileSync } from "node:fs";
import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { listPath } from "../../shared/run/folder-list.ts";
import { layLab, places, render } from "../worlds/mapshot.ts";
import { backUp, drill, expectRejected, foldersOf, newest, saveManifest, sha256, untouched } from "./drilling.ts";

let lab: { folder: string; app: string };
let name: string;
beforeEach(async () => {
  lab = { folder: await mkdtemp(join(tmpdir(), "keepsake-drill-")), app: "mapshot" };
  await layLab(lab.folder);
  name = await render(lab.folder);
  await backUp(lab);
});
afterEach(() => rm(lab.folder, { recursive: true, force: true }));

/** Changes the list of the render's files, and lets its sums be right. */
async function plantList(change: (lines: string[]) => string[]): Promise<void> {
  const manifest = await newest(lab);
  const unit = manifest.files.find(({ kind }) => kind === "folder");
  const lines = readFileSync(listPath(foldersOf(lab), unit?.sha256 as string), "utf8")
    .trimEnd()
    .split("\n");
  const path = listPath(foldersOf(lab), "new");
  await writeFile(path, `${change(lines).join("\n")}\n`);
  const sum = await sha256(path);
  await writeFile(listPath(foldersOf(lab), sum), await readFile(path));
  const files = manifest.files.map((file) => (file === unit ? { ...file, sha256: sum } : file));
  await saveManifest(lab, { ...manifest, files });
}

const aTile = async () => {
  const names = await readdir(join(places(lab.folder).map, "renders", name), { recursive: true });
  return names.filter((path) => path.endsWith(".jpg")).sort()[3] as string;
};

test("a drill proves every tile that mapshot.json stands for, and touches nothing of production", async () => {
  expect(await untouched(lab, [places(lab.folder).renders], () => drill(lab))).toMatchObject({
    outcome: "proven",
    drill: {
      compared: expect.arrayContaining([expect.stringMatching(/^\d+ tiles$/), "the sha256 of each", "tiles", "seed"]),
    },
  });
});

test("a map with one tile missing is rejected, also when its list does not know it, and the next backup mends it", async () => {
  const tile = await aTile();
  await rm(join(places(lab.folder).map, "renders", name, tile));
  await expectRejected(lab, tile);
  await plantList((lines) => lines.filter((line) => !line.endsWith(`  ${tile}`)));
  await expectRejected(lab, tile, /a tile is wanted, it is not there/);
  expect((await backUp(lab)).failure).toBeUndefined();
  expect(await drill(lab)).toMatchObject({ outcome: "proven" });
});

test("a tile with other bytes, a tile that is empty, and the page of another map are rejected", async () => {
  const tile = join(places(lab.folder).map, "renders", name, await aTile());
  const bytes = await readFile(tile);
  await writeFile(tile, Buffer.concat([bytes.subarray(0, 8), Buffer.of(0), bytes.subarray(8)]));
  await expectRejected(lab, await aTile(), /sha256 [0-9a-f]{64} is wanted/);
  await writeFile(tile, "");
  await expectRejected(lab, await aTile());
  await writeFile(tile, bytes);
  expect(await drill(lab)).toMatchObject({ outcome: "proven" });
  const page = join(places(lab.folder).map, "index.html");
  await writeFile(page, String(await readFile(page)).replace("<title>", "<title >"));
  await expectRejected(lab, /index\.html/);
});
