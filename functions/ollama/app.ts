import { resolve } from "node:path";
import { z } from "zod";
import type { MirrorSource, MirrorType } from "../../shared/mirror-app.ts";
import type { Memory } from "./memory.ts";
import type { Model } from "./store.ts";

export const Settings = z.strictObject({
  /** Ollama's folder of models, the one with `blobs` and `manifests`. What lies beside it, its keys, is never copied. */
  models: z.string().default("/root/.ollama/models"),
  /**
   * How long Ollama is stopped when something changed. "sync": while models are copied. "end": blobs, which never
   * change once they have their name, are copied while it runs, and it is stopped for the manifests alone.
   */
  stop: z.enum(["sync", "end"]).default("sync"),
  /** How long the NAS keeps a model that Ollama has no more, in days. */
  keepDeletedDays: z.number().min(0).max(3650).default(7),
  /** A download that was written to within so many minutes is under way: the backup waits for the next run. */
  pullIdleMinutes: z.number().min(0).max(1440).default(10),
});
export type Settings = z.infer<typeof Settings>;

/** The store as it was found, and what is to come of it. */
export interface OllamaSource extends MirrorSource {
  /** Models that are whole, sorted by path. */
  readonly models: readonly Model[];
  /** Blobs of these, with their sizes. */
  readonly blobs: ReadonlyMap<string, number>;
  /** Paths of files on the NAS that stay there although they are of none of these. */
  readonly staying: readonly string[];
  readonly memory: Memory;
}

export const app: MirrorType<Settings, OllamaSource> = {
  type: "ollama",
  title: "Ollama",
  settings: Settings,
  place: ({ models }) => resolve(models),
  kubernetes: {
    namespace: "ollama",
    workload: { kind: "Deployment", name: "ollama" },
    claim: "ollama-models",
    mountPath: "/root/.ollama",
    user: "0:0",
    nodeSelector: { "nvidia.com/gpu.present": "true" },
    tolerations: [{ key: "dedicated", operator: "Equal", value: "gpu", effect: "NoSchedule" }],
  },
  mirror: { folder: "backups/models", anchor: "manifests" },
  part: "model",
  loadBackup: async () => (await import("./backup.ts")).backup,
  loadRestore: async () => (await import("./restore.ts")).restore,
  loadDrill: async () => (await import("./drill.ts")).drill,
};
