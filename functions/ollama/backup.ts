import { join } from "node:path";
import type { RunContext } from "../../shared/app.ts";
import type { MirrorApp, MirrorFile } from "../../shared/mirror-app.ts";
import type { OllamaSource, Settings } from "./app.ts";
import { removeExpired } from "./cleanup.ts";
import { examineStore } from "./examine.ts";
import { surveyModels } from "./survey.ts";

export const backup: MirrorApp<Settings, OllamaSource> = {
  examine: examineStore,

  async stops({ canStop, settings }) {
    return canStop ? settings.stop : "no";
  },

  async plan(ctx, source) {
    return {
      units: [...blobUnits(ctx, source), ...source.models.map(manifestUnit)],
      keep: source.staying,
      facts: { models: source.models.map(({ name }) => name), ...source.memory },
    };
  },

  cleanup: removeExpired,
  survey: surveyModels,
};

/** First, because a manifest is worth nothing without them; and while Ollama runs, because they never change. */
function blobUnits({ settings }: RunContext<Settings>, { blobs }: OllamaSource): MirrorFile[] {
  return [...blobs].map(([name, sizeBytes]) => ({
    kind: "file",
    path: `blobs/${name}`,
    from: join(settings.models, "blobs", name),
    sizeBytes,
    sha256: name.slice("sha256-".length),
  }));
}

/** The bytes that were looked at, not what the file holds by then. */
function manifestUnit({ path, bytes, sha256, blobs }: OllamaSource["models"][number]): MirrorFile {
  const needs = blobs.map(({ name }) => `blobs/${name}`);
  return { kind: "file", path, from: bytes, sizeBytes: bytes.length, sha256, needs, closes: true };
}
