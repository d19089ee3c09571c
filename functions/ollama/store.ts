import { createHash } from "node:crypto";
import { join, resolve } from "node:path";
import { z } from "zod";
import { ignore } from "../../shared/disk.ts";
import { lstat, readdir, readFile, realpath, stat } from "../../shared/files.ts";
import { type BlobRef, isBlobName, manifestLimitBytes, parseManifest } from "./manifest.ts";
import { type ManifestFolder, manifestFolders, manifestPathOf, nameOfPath, showModelName } from "./model-name.ts";

/** A model whose manifest can be read. Whether its blobs are there is another question (`completeness.ts`). */
export interface Model {
  /** "llama3.2:1b" */
  readonly name: string;
  /** Where its manifest belongs below a store: "manifests/registry.ollama.ai/library/llama3.2/1b". */
  readonly path: string;
  /** Where it lies; another place than `path` in a store of Ollama 0.40 or newer. */
  readonly at: string;
  readonly bytes: Uint8Array;
  /** Of the bytes, lower-case hex. */
  readonly sha256: string;
  readonly blobs: readonly BlobRef[];
}

/** A file among the manifests that is no model's. */
export interface BadManifest {
  /** Below the store. */
  readonly at: string;
  /** Which model's it would be, were it sound. */
  readonly path?: string;
  /** For people. */
  readonly why: string;
}

/** A folder as Ollama keeps its models in, be it Ollama's own or the copy on the NAS. */
export interface Store {
  readonly folder: string;
  /** Sorted by path. */
  readonly models: readonly Model[];
  readonly bad: readonly BadManifest[];
  /** Sizes, by name. */
  readonly blobs: ReadonlyMap<string, number>;
  /** All other names in `blobs/`. */
  readonly others: readonly string[];
}

/**
 * Reads what a store holds: names, manifests and sizes; of blobs only those that are manifests themselves.
 * Folders that are not there are empty ones.
 * @throws {NodeJS.ErrnoException} When something that is there cannot be looked at.
 */
export async function readStore(folder: string): Promise<Store> {
  const names = await readdir(join(folder, "blobs")).catch(ignoreMissing);
  const blobs = new Map<string, number>();
  const others: string[] = [];
  for (const name of (names ?? []).sort()) {
    const found = isBlobName(name) ? await stat(join(folder, "blobs", name)).catch(ignoreMissing) : undefined;
    if (found?.isFile()) blobs.set(name, found.size);
    else others.push(name);
  }
  const models = new Map<string, Model>();
  const bad: BadManifest[] = [];
  for (const root of manifestFolders) {
    for (const at of await fourDeep(folder, root)) {
      const read = await readManifestFile(folder, root, at, blobs);
      if (read === undefined) continue;
      // The folder that is read last is the one that Ollama looks at first.
      if ("why" in read) bad.push(read);
      else models.set(read.path, read);
    }
  }
  const sorted = [...models.values()].sort((a, b) => (a.path < b.path ? -1 : 1));
  return { folder, models: sorted, bad, blobs, others };
}

async function readManifestFile(
  folder: string,
  root: ManifestFolder,
  at: string,
  blobs: ReadonlyMap<string, number>,
): Promise<Model | BadManifest | undefined> {
  const path = join(folder, at);
  const found = await stat(path).catch(ignoreMissing);
  const leadsNowhere = !found && (await lstat(path).catch(ignoreMissing)) !== undefined;
  // Gone meanwhile, or a folder, which Ollama does not look at either.
  if (found?.isDirectory() || (!found && !leadsNowhere)) return undefined;
  const name = nameOfPath(at.split("/").slice(1), root);
  if (!name) {
    const hidden = at.split("/").at(-1)?.startsWith(".");
    // Ollama writes a name in `manifests-v2` under a hidden one first.
    if (hidden && root === "manifests-v2") return undefined;
    return { at, why: "this is no model's name, and keeps Ollama from removing what no model needs" };
  }
  const wanted = manifestPathOf(name);
  const refuse = (why: string): BadManifest => ({ at, path: wanted, why });
  if (!found) return refuse("it is a link that leads nowhere");
  if (!found.isFile()) return refuse("this is no file");
  if (found.size > manifestLimitBytes)
    return refuse(`it has ${found.size} bytes, a manifest at most ${manifestLimitBytes}`);
  if (!(await leadsWithin(path, folder))) return refuse("it is a link that leaves the folder of models");
  const bytes = await readFile(path).catch(ignoreMissing);
  if (!bytes) return undefined;
  try {
    const { blobs: own, children } = parseManifest(bytes);
    const parts = new Map(own.map((blob) => [blob.name, blob]));
    for (const child of children) {
      if (!parts.has(child)) parts.set(child, { name: child });
      for (const blob of await readChild(folder, child, blobs)) parts.set(blob.name, blob);
    }
    const sha256 = createHash("sha256").update(bytes).digest("hex");
    return { name: showModelName(name), path: wanted, at, bytes, sha256, blobs: [...parts.values()] };
  } catch (error) {
    return refuse(`it is no manifest: ${whyOf(error)}`);
  }
}

/** A manifest that a list names lies among the blobs. One that is missing is found missing like any other blob. */
async function readChild(
  folder: string,
  name: string,
  blobs: ReadonlyMap<string, number>,
): Promise<readonly BlobRef[]> {
  const size = blobs.get(name);
  if (size === undefined) return [];
  if (size > manifestLimitBytes) throw new Error(`${name} has ${size} bytes`);
  const bytes = await readFile(join(folder, "blobs", name));
  if (`sha256-${createHash("sha256").update(bytes).digest("hex")}` !== name) throw new Error(`${name} is damaged`);
  const { blobs: parts, children } = parseManifest(bytes);
  if (children.length > 0) throw new Error(`${name} is a list within a list`);
  return parts;
}

/** Paths below the store of all that lies four levels below one of its folders. */
async function fourDeep(folder: string, root: ManifestFolder): Promise<string[]> {
  let paths: string[] = [root];
  for (let level = 1; level <= 4; level++) {
    const below: string[] = [];
    for (const path of paths) {
      const entries = await readdir(join(folder, path)).catch(ignoreMissing);
      for (const name of entries ?? []) below.push(`${path}/${name}`);
    }
    paths = below;
  }
  return paths.sort();
}

/** Names in `manifests-v2` are links to blobs. */
async function leadsWithin(path: string, folder: string): Promise<boolean> {
  const [target, root] = [await realpath(path), await realpath(folder)];
  return target.startsWith(`${resolve(root)}/`);
}

/** Gone, or a file where a folder could be. */
const ignoreMissing = ignore("ENOENT", "ENOTDIR");

const whyOf = (error: unknown) =>
  error instanceof z.ZodError
    ? error.issues
        .map(({ path, message }) => `${path.join(".")}: ${message}`)
        .join("; ")
        .slice(0, 300)
    : (error as Error).message;
