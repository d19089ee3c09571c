import { createCipheriv, createHash, generateKeyPairSync, randomBytes } from "node:crypto";
import { mkdir, open, rename, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { ggufHeader } from "./gguf.ts";

/** One layer: what it is and how big. The same key and size give the same bytes, so two models can share a blob. */
export interface LayerSpec {
  /** "model", "template", "license", "params", "system", "projector"…: the end of the media type. */
  readonly kind: string;
  readonly key: string;
  readonly sizeBytes: number;
}

export interface ModelSpec {
  /** As `ollama pull` takes it: "llama3.2:1b", "hf.co/user/repo:Q4_K_M". */
  readonly name: string;
  readonly layers: readonly LayerSpec[];
  /** Some manifests name no config at all. */
  readonly config?: boolean;
}

interface Descriptor {
  mediaType: string;
  digest: string;
  size: number;
}

export interface MadeModel {
  readonly name: string;
  /** Below `models/`: "manifests/registry.ollama.ai/library/llama3.2/1b". */
  readonly manifestPath: string;
  readonly manifest: string;
  /** "sha256-<hex>" of every layer, then of the config. */
  readonly blobs: readonly string[];
}

const chunkBytes = 1 << 20;

/**
 * The models of the lab: three of the default registry, as the home lab has them, and one of another registry.
 * Three share a licence.
 * @param modelBytes Of the largest one's weights; the others are smaller.
 */
export function labModels(modelBytes: number): ModelSpec[] {
  const licence: LayerSpec = { kind: "license", key: "licence", sizeBytes: 7_711 };
  const model = (name: string, share: number, ...more: LayerSpec[]): ModelSpec => ({
    name,
    layers: [
      { kind: "model", key: `weights of ${name}`, sizeBytes: Math.max(4096, Math.floor(modelBytes * share)) },
      { kind: "template", key: `template of ${name}`, sizeBytes: 1_429 },
      ...more,
      { kind: "params", key: "params", sizeBytes: 96 },
    ],
  });
  return [
    model("llama3.2:1b", 0.1, licence),
    model("gpt-oss:20b", 1, licence),
    model("qwen2.5:0.5b", 0.03, licence),
    model("hf.co/bartowski/Llama-3.2-1B-Instruct-GGUF:Q4_K_M", 0.06),
  ];
}

/**
 * Makes `~/.ollama` as `ollama serve` and `ollama pull` leave it: keys, blobs named after their sha256, manifests.
 * @param root Stands for `~/.ollama`; the store is `models/` in it.
 */
export async function makeStore(root: string, models: readonly ModelSpec[]): Promise<MadeModel[]> {
  await makeKeys(root);
  const made: MadeModel[] = [];
  for (const model of models) made.push(await addModel(join(root, "models"), model));
  return made;
}

/** Adds one model in the order of a pull: all blobs, then the manifest. */
export async function addModel(store: string, model: ModelSpec): Promise<MadeModel> {
  const layers: Descriptor[] = [];
  for (const layer of model.layers) layers.push(await addBlob(store, layer));
  const config =
    model.config === false ? { mediaType: "", digest: "", size: 0 } : await addConfig(store, model, layers);
  const manifest = JSON.stringify({
    schemaVersion: 2,
    mediaType: "application/vnd.docker.distribution.manifest.v2+json",
    config,
    layers,
  });
  const manifestPath = join("manifests", manifestName(model.name));
  await mkdir(dirname(join(store, manifestPath)), { recursive: true });
  await writeFile(join(store, manifestPath), manifest);
  const digests = [...layers, config].map(({ digest }) => digest).filter((digest) => digest !== "");
  return { name: model.name, manifestPath, manifest, blobs: digests.map((digest) => digest.replace(":", "-")) };
}

/** The path below `manifests/` of a name: host and namespace are added when the name has none. */
export function manifestName(name: string): string {
  const [path = "", tag = "latest"] = name.split(/:(?=[^/]*$)/);
  const parts = path.split("/");
  const host = parts.length === 3 ? parts.shift() : "registry.ollama.ai";
  const namespace = parts.length === 2 ? parts.shift() : "library";
  return [host, namespace, ...parts, tag].join("/");
}

/** A download that goes on: Ollama sets the file to its full size at once, and keeps what is done in a file for each part. */
export async function beginPull(store: string, layer: LayerSpec) {
  const { digest } = await describe(layer);
  const partial = join(store, "blobs", `${digest.replace(":", "-")}-partial`);
  await mkdir(dirname(partial), { recursive: true });
  const file = await open(partial, "w+");
  await file.truncate(layer.sizeBytes);
  let done = 0;
  const bytes = contentOf(layer);
  const writePart = () =>
    writeFile(`${partial}-0`, JSON.stringify({ N: 0, Offset: 0, Size: layer.sizeBytes, Completed: done }));
  await writePart();
  return {
    partial,
    /** Writes the next piece. */
    async grow() {
      const { value } = await bytes.next();
      if (!value) return;
      await file.write(value, 0, value.length, done);
      done += value.length;
      await writePart();
    },
    close: () => file.close(),
  };
}

async function addBlob(store: string, layer: LayerSpec): Promise<Descriptor> {
  return { mediaType: `application/vnd.ollama.image.${layer.kind}`, ...(await put(store, () => contentOf(layer))) };
}

async function addConfig(store: string, { name }: ModelSpec, layers: readonly Descriptor[]): Promise<Descriptor> {
  const text = JSON.stringify({
    model_format: "gguf",
    model_family: "llama",
    model_families: ["llama"],
    model_type: "1.2B",
    file_type: "Q8_0",
    architecture: "amd64",
    os: "linux",
    rootfs: { type: "layers", diff_ids: layers.map(({ digest }) => digest) },
    lab: name,
  });
  const written = await put(store, async function* () {
    yield Buffer.from(text);
  });
  return { mediaType: "application/vnd.docker.container.image.v1+json", ...written };
}

/** Under a random name first, as Ollama makes a layer of its own. */
async function put(store: string, content: () => AsyncGenerator<Buffer>): Promise<{ digest: string; size: number }> {
  const blobs = join(store, "blobs");
  await mkdir(blobs, { recursive: true });
  const temporary = join(blobs, `sha256-${randomBytes(4).readUInt32LE()}`);
  const hash = createHash("sha256");
  let size = 0;
  const file = await open(temporary, "wx", 0o644);
  for await (const chunk of content()) {
    hash.update(chunk);
    await file.write(chunk);
    size += chunk.length;
  }
  await file.close();
  const digest = `sha256:${hash.digest("hex")}`;
  await rename(temporary, join(blobs, digest.replace(":", "-")));
  return { digest, size };
}

async function describe(layer: LayerSpec): Promise<{ digest: string }> {
  const hash = createHash("sha256");
  for await (const chunk of contentOf(layer)) hash.update(chunk);
  return { digest: `sha256:${hash.digest("hex")}` };
}

/** Weights do not compress; texts are texts. Weights begin as a GGUF file does. */
async function* contentOf({ kind, key, sizeBytes }: LayerSpec): AsyncGenerator<Buffer> {
  const noise = createCipheriv("aes-128-ctr", createHash("md5").update(`${kind} ${key}`).digest(), Buffer.alloc(16));
  const header = kind === "model" ? ggufHeader(key, sizeBytes) : Buffer.alloc(0);
  for (let offset = 0; offset < sizeBytes; offset += chunkBytes) {
    const length = Math.min(chunkBytes, sizeBytes - offset);
    const chunk =
      kind === "model" ? noise.update(Buffer.alloc(length)) : Buffer.alloc(length, `${key}: all rights reserved.\n`);
    if (offset === 0) header.copy(chunk);
    yield chunk;
  }
}

/** The keys that lie beside the store and must never leave the machine. Never overwrites one. */
export async function makeKeys(root: string): Promise<void> {
  await mkdir(root, { recursive: true });
  const { publicKey, privateKey } = generateKeyPairSync("ed25519");
  // The last 32 bytes of the DER form are the key itself; OpenSSH puts each field behind its length.
  const raw = publicKey.export({ type: "spki", format: "der" }).subarray(-32);
  const field = (bytes: Buffer) => {
    const length = Buffer.alloc(4);
    length.writeUInt32BE(bytes.length);
    return Buffer.concat([length, bytes]);
  };
  const line = Buffer.concat([field(Buffer.from("ssh-ed25519")), field(raw)]).toString("base64");
  const ignore = (error: NodeJS.ErrnoException) => {
    if (error.code !== "EEXIST") throw error;
  };
  const secret = privateKey.export({ type: "pkcs8", format: "pem" });
  const made = await writeFile(join(root, "id_ed25519"), secret, { mode: 0o600, flag: "wx" }).then(
    () => true,
    (error) => ignore(error),
  );
  if (made) await writeFile(join(root, "id_ed25519.pub"), `ssh-ed25519 ${line}\n`, { mode: 0o644 });
}
