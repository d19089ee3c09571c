import { createHash } from "node:crypto";
import type { Stats } from "node:fs";
import { lstat, mkdir, readdir, readFile, rename, rmdir, stat, unlink } from "node:fs/promises";
import { join, relative } from "node:path";
import { loadWeights } from "./gguf.ts";

const graceMs = 3_600_000;

interface Layer {
  mediaType: string;
  digest: string;
  size: number;
}

interface Manifest {
  config: Layer;
  layers: Layer[];
}

export interface ListedModel {
  name: string;
  modified_at: string;
  size: number;
  digest: string;
}

/**
 * The part of `ollama serve` that a backup meets: what it does to its store when it starts, what it lists, what it
 * loads. Written from Ollama's own rules (server/images.go, manifest/manifest.go), and from nothing of the backup, so
 * that a mistake there is not made here too.
 */
export class Ollama {
  readonly #store: string;

  /** @param store `$OLLAMA_MODELS`, the folder with `blobs` and `manifests`. */
  constructor(store: string) {
    this.#store = store;
  }

  /**
   * What a start does: removes from `blobs` all that is no blob and all that no manifest names, unless it is younger
   * than an hour, then empty folders of `manifests`. Does nothing at all when one manifest cannot be read.
   * @returns What it removed, and why it did not look when it did not.
   */
  async prune(nowMs = Date.now()): Promise<{ removed: string[]; skipped?: string }> {
    const blobs = join(this.#store, "blobs");
    await mkdir(blobs, { recursive: true });
    await mkdir(join(this.#store, "manifests"), { recursive: true });
    for (const name of await readdir(blobs)) {
      if (name.startsWith("sha256:")) await rename(join(blobs, name), join(blobs, name.replace(":", "-")));
    }
    const used = new Set<string>();
    try {
      for (const { manifest } of await this.#manifests()) {
        for (const { digest } of [...manifest.layers, manifest.config]) used.add(digest);
      }
    } catch (error) {
      return { removed: [], skipped: (error as Error).message };
    }
    const removed: string[] = [];
    for (const entry of await readdir(blobs, { withFileTypes: true })) {
      if (entry.isDirectory()) continue;
      const { mtimeMs } = await lstat(join(blobs, entry.name));
      if (nowMs - mtimeMs < graceMs) continue;
      const isBlob = /^sha256-[0-9a-fA-F]{64}$/.test(entry.name);
      if (isBlob && used.has(entry.name.replace("-", ":"))) continue;
      await unlink(join(blobs, entry.name));
      removed.push(entry.name);
    }
    await removeEmptyFolders(join(this.#store, "manifests"));
    return { removed };
  }

  /** What `/api/tags` tells, newest first. A model whose config is not there is left out in silence. */
  async list(): Promise<ListedModel[]> {
    const models: ListedModel[] = [];
    for (const { name, manifest, digest, info } of await this.#manifests({ tolerant: true })) {
      const { config, layers } = manifest;
      if (config.digest !== "" && !(await this.#json(config))) continue;
      const size = [...layers, config].reduce((sum, layer) => sum + layer.size, 0);
      models.push({ name, modified_at: info.mtime.toISOString(), size, digest });
    }
    return models.sort((a, b) => (a.modified_at < b.modified_at ? 1 : -1));
  }

  /**
   * Loads a model, as a first question to it does: every layer is opened, the weights are looked at.
   * @throws When there is no such model, or part of it is missing or cut off.
   */
  async load(name: string): Promise<void> {
    const model = (await this.#manifests({ tolerant: true })).find((candidate) => candidate.name === name);
    if (!model) throw new Error(`model '${name}' not found`);
    for (const layer of model.manifest.layers) {
      const path = this.#blob(layer.digest);
      if (layer.mediaType.endsWith(".model")) await loadWeights(path);
      else await readFile(path);
    }
  }

  #blob(digest: string): string {
    return join(this.#store, "blobs", digest.replace(":", "-"));
  }

  #json(layer: Layer): Promise<unknown> {
    return readFile(this.#blob(layer.digest), "utf8").then(JSON.parse, () => undefined);
  }

  /** Every file that lies four folders deep, under whatever name. */
  async #manifests({ tolerant = false } = {}) {
    const root = join(this.#store, "manifests");
    const found: { name: string; manifest: Manifest; digest: string; info: Stats }[] = [];
    for (const path of await fourDeep(root)) {
      const info = await stat(path);
      if (info.isDirectory()) continue;
      try {
        const bytes = await readFile(path);
        const manifest = JSON.parse(bytes.toString("utf8")) as Manifest;
        const digest = createHash("sha256").update(bytes).digest("hex");
        found.push({ name: nameOf(relative(root, path)), manifest, digest, info });
      } catch (error) {
        if (!tolerant) throw new Error(`${relative(root, path)}: ${(error as Error).message}`);
      }
    }
    return found;
  }
}

/** As `ollama list` shows it. */
function nameOf(path: string): string {
  const [host = "", namespace = "", model = "", tag = ""] = path.split("/");
  const sound = [host, namespace, model, tag].every(
    (part, index) =>
      /^[A-Za-z0-9_][A-Za-z0-9_.:-]*$/.test(part) &&
      part.length <= (index === 0 ? 350 : 80) &&
      !(index > 0 && part.includes(":")) &&
      !(index === 1 && part.includes(".")),
  );
  if (!sound) throw new Error("bad manifest name");
  if (host !== "registry.ollama.ai") return `${host}/${namespace}/${model}:${tag}`;
  return namespace === "library" ? `${model}:${tag}` : `${namespace}/${model}:${tag}`;
}

async function fourDeep(root: string): Promise<string[]> {
  let paths = [root];
  for (let level = 0; level < 4; level++) {
    const below = await Promise.all(
      paths.map(async (path) => (await readdir(path).catch(() => [])).map((name) => join(path, name))),
    );
    paths = below.flat();
  }
  return paths.sort();
}

async function removeEmptyFolders(path: string): Promise<void> {
  for (const entry of await readdir(path, { withFileTypes: true })) {
    if (entry.isDirectory()) await removeEmptyFolders(join(path, entry.name));
  }
  if ((await readdir(path)).length === 0) await rmdir(path);
}
