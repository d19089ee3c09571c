import { join } from "node:path";
import { addModel, makeStore } from "../../../deploy/local/lab/ollama/make-store.ts";

/** Weights of one model: a blob that does not compress. */
const blobBytes = 500e6;

const modelOf = (name: string, sizeBytes: number) => ({
  name,
  layers: [
    { kind: "model", key: `weights of ${name}`, sizeBytes },
    { kind: "template", key: `template of ${name}`, sizeBytes: 1_429 },
    { kind: "params", key: "params", sizeBytes: 96 },
  ],
});

/** A store of Ollama with six models of 500 MB each at scale 1. @returns Its folder, `~/.ollama/models`. */
export async function makeModelStore(home: string, scale: number): Promise<string> {
  const names = ["one", "two", "three", "four", "five", "six"];
  await makeStore(
    home,
    names.map((name) => modelOf(`bench:${name}`, Math.round(blobBytes * scale))),
  );
  return join(home, "models");
}

/** Pulls one more. @returns The path of its weights. */
export async function pullModel(store: string, name: string, sizeBytes = blobBytes): Promise<string> {
  const { blobs } = await addModel(store, modelOf(name, Math.round(sizeBytes)));
  return join(store, "blobs", blobs[0] as string);
}
