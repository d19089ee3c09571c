import type { PointFacts } from "../../shared/app.ts";
import { Failure } from "../../shared/failures.ts";
import type { ReadBack } from "../../shared/nas/read-back.ts";
import { change, type DatabaseContext, withAdmin } from "./admin.ts";
import { gunzip } from "./dump/gunzip.ts";
import { type DumpSummary, scanDump } from "./dump/scan.ts";
import { DumpFacts } from "./facts.ts";
import { finishScratch } from "./finish.ts";
import { type Journal, writeJournal } from "./journal.ts";
import { loadDump } from "./load.ts";
import { propertiesSql } from "./properties.ts";
import { planRestore } from "./restore-plan.ts";
import { dropScratch, makeScratch, prepareScratch, retireGuest } from "./scratch.ts";
import { quoteName } from "./sql.ts";

/**
 * Fills a scratch database from a dump, up to the last right; production is not touched.
 * What fails leaves nothing behind.
 * @returns The journal in the scratch database's comment.
 * @throws {Failure} `backup_damaged`, `backup_hostile`, `override_needed`, `target_invalid`, `restore_failed`.
 */
export async function stageDump(
  ctx: DatabaseContext,
  file: ReadBack,
  point: PointFacts,
  name: string,
): Promise<Journal> {
  ctx.progress("reading the dump", 0, file.sizeBytes);
  const summary = await scanDump(gunzip(file));
  compareWithManifest(summary, point);
  try {
    return await fill(ctx, file, summary, name);
  } catch (error) {
    await withAdmin(ctx, (admin) => dropScratch(ctx, admin, name), { evenCancelled: true }).catch((left) =>
      ctx.log.warn({ err: left }, "cannot remove the scratch database now; the next run will"),
    );
    throw error;
  }
}

async function fill(ctx: DatabaseContext, file: ReadBack, summary: DumpSummary, name: string): Promise<Journal> {
  return withAdmin(ctx, async (admin) => {
    const plan = await planRestore(ctx, admin, summary);
    const { guest, journal } = await makeScratch(ctx, admin, name, plan);
    const schemas = await prepareScratch(ctx, name, summary);
    const deferred = await loadDump(ctx, file, name, guest, schemas, summary);
    await retireGuest(ctx, admin, guest);
    await finishScratch(ctx, name, plan, deferred);
    await change(ctx, admin, `drop the temporary role ${name}`, `DROP ROLE ${quoteName(name)}`);
    const staged: Journal = { ...journal, phase: "staged" };
    await change(ctx, admin, `give ${name} its owner and settings`, [
      ...propertiesSql(name, plan.owner, plan.properties, plan.settings),
      writeJournal(name, staged),
    ]);
    return staged;
  });
}

/** The dump was hashed against its manifest before; this says which table is not what it was. */
function compareWithManifest(summary: DumpSummary, point: PointFacts): void {
  const facts = DumpFacts.safeParse(point.facts ?? {});
  if (!facts.success)
    throw new Failure("backup_damaged", `Cannot read the facts of ${point.id}: ${facts.error.message}`);
  const { tables, largeObjects } = facts.data;
  if (largeObjects !== undefined && largeObjects !== summary.largeObjects)
    throw differs("large objects", largeObjects, summary.largeObjects);
  if (tables === undefined) return;
  for (const table of new Set([...Object.keys(tables), ...summary.tables.keys()])) {
    const [wanted, actual] = [tables[table], summary.tables.get(table)];
    if (wanted !== actual) throw differs(`rows of ${table}`, wanted, actual);
  }
}

const differs = (what: string, wanted: number | undefined, actual: number | undefined) =>
  new Failure(
    "backup_damaged",
    `Cannot restore the dump: its manifest says ${wanted ?? "nothing"} ${what}, the dump holds ${actual ?? "none"}`,
  );
