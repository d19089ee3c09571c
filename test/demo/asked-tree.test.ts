import { readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { drawTree } from "../../deploy/local/demo/tree.ts";
import { tempFolder, writeTree } from "../../shared/testing.ts";
import { differences, pathsOf } from "./asked-tree.ts";

const files = {
  "sdtd/backups/latest.tar.gz": "x",
  "sdtd/backups/latest-world.tar.gz": "x",
  "sdtd/backups/history/7dtd-Home-20251219-180000.tar.gz": "x",
  "factorio/factorio-space-age_linux_2.0.72.tar.xz": "x",
  "factorio/backups/latest.zip": "x",
  "factorio/backups/history/factorio-20251219-180000.zip": "x",
  "mapshot/index.html": "x",
  "mapshot/manifest.json": "x",
  "mapshot/viewer-0a1b.js": "x",
  "mapshot/thumbnail.png": "x",
  "mapshot/renders/d-0a1b2c3d/s1zoom_0/tile_0_0.jpg": "x",
  "postgresql/backups/latest.sql.gz": "x",
  "postgresql/backups/history/": "",
  "open-webui/backups/latest.db": "x",
  "open-webui/backups/history/": "",
  "open-webui-open-webui-data/cache/": "",
  "open-webui-open-webui-data/uploads/a.pdf": "x",
  "open-webui-open-webui-data/vector_db/": "",
  "open-webui-open-webui-data/webui.db": "x",
  "ollama/backups/models/blobs/sha256-00": "x",
  "ollama/backups/models/blobs/sha256-01": "x",
  "ollama/backups/models/manifests/registry.ollama.ai/library/llama3.2/1b": "x",
  "ollama/backups/models/manifests/registry.ollama.ai/library/gpt-oss/20b": "x",
  "ollama/backups/models/manifests/registry.ollama.ai/library/qwen2.5/0.5b": "x",
  ".keepsake/export.json": "x",
};

test("the tree as drawn is the tree that was asked for, line by line", async () => {
  const nas = await tempFolder();
  await writeTree(nas, files);
  const lines = await drawTree(nas, "nas/");
  expect(differences(lines)).toEqual({ extra: [], missing: [] });
  const asked = await readFile(join(import.meta.dirname, "asked-tree.txt"), "utf8");
  expect(pathsOf(lines)).toHaveLength(pathsOf(asked.split("\n")).length);
});

test("differences() finds a line too many and a line too few", async () => {
  const nas = await tempFolder();
  await writeTree(nas, { ...files, "sdtd/backups/latest.tmp": "x" });
  await rm(join(nas, "open-webui/backups/latest.db"));
  expect(differences(await drawTree(nas, "nas/"))).toEqual({
    extra: ["sdtd/backups/latest.tmp"],
    missing: ["open-webui/backups/latest.db"],
  });
});
