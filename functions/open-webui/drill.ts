import { join } from "node:path";
import type { DrillApp } from "../../shared/app.ts";
import { sizeOf } from "../../shared/nas/points.ts";
import { requireFacts, requireSame } from "../../shared/run/drill-compare.ts";
import { walkFiles } from "../../shared/source/walk.ts";
import type { Settings } from "./app.ts";
import { factsOf, installIdentity } from "./facts.ts";
import { damaged } from "./prove.ts";
import { askSqlite } from "./sqlite-process.ts";
import { About } from "./uploads.ts";

export const drill: DrillApp<Settings> = {
  neededBytes(point) {
    const uploads = point.manifest?.files.find(({ kind }) => kind === "uploads");
    return sizeOf(point) + (About.safeParse(uploads?.about).data?.contentBytes ?? 0);
  },

  async open({ settings }, _, folder) {
    return { settings: { ...settings, data: join(folder, "data"), network: false } };
  },

  /** All of the database by `integrity_check`, the rows of every table, the files that were uploaded. */
  async compare({ settings: { data, database }, signal }, point) {
    const { id, manifest } = point;
    const path = join(data, database);
    const proven = await askSqlite(
      { operation: "prove", path },
      { signal, temporary: data, sizeBytes: sizeOf(point) },
    ).catch((error) => {
      throw damaged(path, error);
    });
    const { sqliteVersion: _, ...facts } = factsOf(proven);
    const compared = requireFacts(id, manifest?.facts, facts);
    if (manifest?.identity) requireSame(id, "install", manifest.identity.id, installIdentity(proven)?.id);
    const counts = Object.values(proven.rows);
    const rows = counts.reduce((sum, count) => sum + count, 0);
    const told = [`${counts.length} tables with ${rows} rows`, "integrity_check", ...compared];
    if (!point.files.some(({ kind }) => kind === "uploads")) return told;
    const uploads = await countFiles(join(data, "uploads"), signal);
    return [...told, ...requireFacts(id, manifest?.facts, { uploads }), `${uploads.files} uploads`];
  },
};

async function countFiles(folder: string, signal: AbortSignal): Promise<{ files: number; sizeBytes: number }> {
  const found = { files: 0, sizeBytes: 0 };
  for await (const { kind, sizeBytes } of walkFiles(folder, { signal })) {
    if (kind !== "file") continue;
    found.files += 1;
    found.sizeBytes += sizeBytes;
  }
  return found;
}
