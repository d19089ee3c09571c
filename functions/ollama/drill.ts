import { join } from "node:path";
import type { DrillApp } from "../../shared/app.ts";
import { Failure } from "../../shared/failures.ts";
import { sizeOf } from "../../shared/nas/points.ts";
import { requireSame } from "../../shared/run/drill-compare.ts";
import type { Settings } from "./app.ts";
import { flawsOf } from "./completeness.ts";
import { lackingOf } from "./lacking.ts";
import { readStore } from "./store.ts";

export const drill: DrillApp<Settings> = {
  neededBytes: sizeOf,

  async open({ settings }, _, folder) {
    return { settings: { ...settings, models: join(folder, "models") } };
  },

  /** The models that `ollama list` would show, each whole: its manifest as it was, every blob what its name says. */
  async compare(ctx, { id, manifest }) {
    const store = await readStore(ctx.settings.models);
    const recorded = manifest?.files.filter(({ name }) => name.startsWith("manifests/"));
    const sums = (files: readonly { path: string; sha256: string }[]) =>
      Object.fromEntries(files.map(({ path, sha256 }) => [path, sha256]));
    const wanted = recorded
      ?.map(({ name, sha256 }) => ({ path: name, sha256 }))
      .sort((a, b) => (a.path < b.path ? -1 : 1));
    if (wanted) requireSame(id, "models", sums(wanted), sums(store.models));
    for (const model of store.models) {
      const [flaw] = flawsOf(model, store.blobs);
      if (flaw) throw new Failure("backup_damaged", `Cannot prove ${id}: ${model.name}: ${flaw.why}`);
    }
    const { blobs } = await lackingOf(ctx, store.models, store, store);
    for (const name of blobs.keys()) {
      throw new Failure(
        "backup_damaged",
        `Cannot prove ${id}: blobs/${name}: other bytes than its name says are in it`,
      );
    }
    const names = store.models.map(({ name }) => name);
    return [
      `${names.length} models (${names.join(", ")})`,
      "the sha256 of every blob",
      ...(wanted ? [] : ["no list was recorded"]),
    ];
  },
};
