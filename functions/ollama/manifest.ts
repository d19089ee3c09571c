import { z } from "zod";

/** A file below `blobs/`, as a manifest speaks of it. */
export interface BlobRef {
  /** "sha256-<64 hex>": its name, and what its content must hash to. */
  readonly name: string;
  /** Absent where the manifest does not tell: of another manifest. */
  readonly sizeBytes?: number;
}

export interface ParsedManifest {
  /** Every layer and the config, each once. */
  readonly blobs: readonly BlobRef[];
  /** Names of the blobs that hold further manifests, each of which counts as a part of this one. */
  readonly children: readonly string[];
}

/** Manifests of a few hundred bytes are the rule; a model of tensors names thousands of layers. */
export const manifestLimitBytes = 16 << 20;
const listType = "application/vnd.ollama.manifest.list.v2+json";

const Descriptor = z.object({ digest: z.string().default(""), size: z.number().int().nonnegative().default(0) });
const Runnable = z.object({
  mediaType: z.string().optional(),
  digest: z.string().optional(),
  config: Descriptor.nullish(),
  layers: z.array(Descriptor).max(200_000).nullish(),
});
const Manifest = Runnable.extend({
  schemaVersion: z.number().int(),
  manifests: z.array(Runnable).max(100).nullish(),
});

/** The one way to write a blob's name. Whatever else lies in `blobs/` is none, however it begins. */
export const isBlobName = (name: string) => /^sha256-[0-9a-f]{64}$/.test(name);

/**
 * What a manifest consists of: Ollama's JSON (manifest/manifest.go), or a list of such (0.40 and newer).
 * @throws {Error} Why it is none, for people: no JSON, a digest that is none, sizes that contradict each other.
 */
export function parseManifest(bytes: Uint8Array): ParsedManifest {
  const { mediaType, manifests, ...own } = Manifest.parse(readJson(bytes));
  const isList = mediaType === listType;
  const blobs = new Map<string, number>();
  const children: string[] = [];
  for (const part of isList ? (manifests ?? []) : [own]) {
    const descriptors = [...(part.layers ?? []), ...(part.config ? [part.config] : [])];
    if (isList && part.digest) children.push(blobNameOf(part.digest));
    for (const { digest, size } of descriptors) {
      if (digest === "") continue;
      const name = blobNameOf(digest);
      if ((blobs.get(name) ?? size) !== size) throw new Error(`it gives ${name} two sizes`);
      blobs.set(name, size);
    }
  }
  if (blobs.size + children.length === 0) throw new Error("it names no layers");
  return { blobs: [...blobs].map(([name, sizeBytes]) => ({ name, sizeBytes })), children: [...new Set(children)] };
}

function blobNameOf(digest: string): string {
  const name = digest.replace(":", "-");
  if (!isBlobName(name)) throw new Error(`"${digest.slice(0, 100)}" is no sha256`);
  return name;
}

function readJson(bytes: Uint8Array): unknown {
  const text = Buffer.from(bytes).toString("utf8");
  if (text.trim() === "") throw new Error("it is empty");
  return JSON.parse(text);
}
