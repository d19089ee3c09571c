import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { readMarks } from "../../shared/nas/damage.ts";
import { layLab, places } from "../worlds/ollama.ts";
import { backUp, drill, expectRejected, foldersOf, newest, saveManifest, sha256, untouched } from "./drilling.ts";

let lab: { folder: string; app: string };
beforeEach(async () => {
  lab = { folder: await mkdtemp(join(tmpdir(), "keepsake-drill-")), app: "ollama" };
  await layLab(lab.folder);
  await backUp(lab);
});
afterEach(() => rm(lab.folder, { recursive: true, force: true }));

/** Changes a file of the mirror, and lets its sums be right. */
async function plantFile(name: string, bytes: Uint8Array): Promise<void> {
  const path = join(places(lab.folder).mirror, name);
  await writeFile(path, bytes);
  const manifest = await newest(lab);
  const changed = { sizeBytes: bytes.length, sha256: await sha256(path) };
  const files = manifest.files.map((file) => (file.name === name ? { ...file, ...changed } : file));
  await saveManifest(lab, { ...manifest, files });
}

const llama = "manifests/registry.ollama.ai/library/llama3.2/1b";
const readMirror = (name: string) => readFile(join(places(lab.folder).mirror, name));

test("a drill proves the models that ollama list would show, every blob of them, and touches nothing of production", async () => {
  expect(await untouched(lab, [places(lab.folder).home], () => drill(lab))).toMatchObject({
    outcome: "proven",
    drill: {
      compared: [
        expect.stringMatching(/^4 models \(.*gpt-oss:20b, llama3\.2:1b, qwen2\.5:0\.5b\)$/),
        "the sha256 of every blob",
      ],
    },
  });
});

test("a manifest that names another blob is rejected, though the sums are right, and the next backup mends it", async () => {
  const manifest = JSON.parse(String(await readMirror(llama)));
  const others = JSON.parse(String(await readMirror("manifests/registry.ollama.ai/library/qwen2.5/0.5b")));
  manifest.layers[0].digest = others.layers[0].digest;
  await plantFile(llama, Buffer.from(JSON.stringify(manifest)));
  await expectRejected(lab, /llama3\.2:1b/, /blobs\/sha256-[0-9a-f]{64}/);
  expect(await backUp(lab)).toMatchObject({ outcome: "created" });
  expect(await drill(lab)).toMatchObject({ outcome: "proven" });
  expect(await readMarks(foldersOf(lab)).then((marks) => marks.filter((mark) => "name" in mark))).toEqual([]);
});

test("a blob with one other byte is rejected, though the sums are right", async () => {
  const names = await readdir(join(places(lab.folder).mirror, "blobs"));
  const name = `blobs/${names[0]}`;
  const bytes = await readMirror(name);
  bytes[bytes.length >> 1] = (bytes[bytes.length >> 1] as number) ^ 1;
  await plantFile(name, bytes);
  await expectRejected(lab, names[0] as string);
});

test("an empty manifest is rejected, though its sums are right", async () => {
  await plantFile(llama, Buffer.alloc(0));
  await expectRejected(lab, /llama3\.2\/1b/);
});

test("a model that was recorded and is on the NAS no more is rejected", async () => {
  await rm(join(places(lab.folder).mirror, llama));
  await expectRejected(lab, llama);
});
