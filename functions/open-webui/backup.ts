import { dirname, join } from "node:path";
import type { BackupApp, Capture, Facts, RunContext } from "../../shared/app.ts";
import { Failure } from "../../shared/failures.ts";
import { openReadBack } from "../../shared/nas/read-back.ts";
import { treeFingerprint } from "../../shared/source/tree-fingerprint.ts";
import type { Settings, WebuiSource } from "./app.ts";
import { type DatabaseFile, readDatabaseFile } from "./database-file.ts";
import { factsOf, installIdentity } from "./facts.ts";
import { refuseLostUploads } from "./lost-uploads.ts";
import { networkOf } from "./network.ts";
import { proveDatabase } from "./prove.ts";
import { type Snapshot, takeSnapshot } from "./snapshot.ts";
import { captureUploads, proveUploads } from "./uploads.ts";

export const backup: BackupApp<Settings, WebuiSource> = {
  async examine(ctx) {
    const { data, database, uploads } = ctx.settings;
    const file = await readDatabaseFile(join(data, database));
    const fingerprints = new Map([["database", file.fingerprint]]);
    if (uploads) {
      const { fingerprint } = await treeFingerprint(uploadsOf(ctx.settings), { signal: ctx.signal });
      fingerprints.set("uploads", fingerprint);
    }
    const { usedBytes } = file;
    return {
      ...{ file, fingerprints, fingerprint: wholeOf(fingerprints) },
      ...(usedBytes !== undefined && { sizeBytes: usedBytes }),
    };
  },

  async stops(ctx, { file }) {
    const why = await whyAsleep(ctx.settings, file);
    if (why === undefined) return false;
    if (ctx.canStop) return true;
    throw new Failure("invalid_config", `Cannot read "${file.path}" while the app uses it: ${why}`, {
      hint: "Give the app a `workload` in the settings, so that it is stopped for the backup. Or keep DATABASE_ENABLE_SQLITE_WAL off, as it is by default, on a network with working locks. If the folder is a local one after all: `network: false`.",
    });
  },

  async capture(ctx, source, stage) {
    const before = stage.untouched.size > 0 ? await newestManifest(ctx) : undefined;
    const checksums = new Map<string, string>();
    const about = new Map<string, Facts>();
    const fingerprints = new Map(source.fingerprints);
    // Facts of what is taken over are those of the point before.
    let facts: Facts = before?.facts ?? {};
    let [takenAtMs, sizeBytes] = [ctx.now(), before?.sourceBytes];
    let snapshot: Snapshot | undefined;
    if (!stage.untouched.has("database")) {
      snapshot = await snapshotOf(ctx, source);
      ({ takenAtMs, sizeBytes } = snapshot);
      checksums.set("database", await writeSnapshot(ctx, snapshot, stage));
      fingerprints.set("database", snapshot.file.fingerprint);
      facts = { ...facts, ...factsOf(snapshot.facts), journalMode: snapshot.file.wal ? "wal" : "delete" };
    }
    if (ctx.settings.uploads) {
      const folder = uploadsOf(ctx.settings);
      if (snapshot) refuseLostUploads(ctx, snapshot.facts.uploads, folder);
      // After the database: what its rows refer to is there by now.
      if (!stage.untouched.has("uploads")) {
        const captured = await captureUploads(ctx, folder, stage);
        checksums.set("uploads", captured.checksum);
        about.set("uploads", captured.about);
        facts = { ...facts, uploads: captured.facts };
      }
    } else if (facts.uploads !== undefined) {
      const { uploads: _, ...others } = facts;
      facts = others;
    }
    return {
      ...{ takenAtMs, checksums, about, fingerprints, facts },
      untouched: stage.untouched,
      fingerprint: wholeOf(fingerprints),
      ...(sizeBytes !== undefined && { sizeBytes }),
    } satisfies Capture;
  },

  async verify(files, options) {
    const [database, uploads] = [files.get("database"), files.get("uploads")];
    const proven = database && (await proveDatabase(database, options));
    const facts = { ...(proven && factsOf(proven)), ...(uploads && (await proveUploads(uploads, options))) };
    const identity = proven && installIdentity(proven);
    return { facts, ...(identity && { identity }) };
  },

  changes(before, now) {
    const told: string[] = [];
    if (before.revision !== undefined && now.revision !== undefined && before.revision !== now.revision) {
      told.push(
        `The database's revision changed from ${before.revision} to ${now.revision}: an image that is older than this one cannot start with the new backups`,
      );
    }
    // Open WebUI does not switch foreign keys on, so some dangling rows are ordinary. That there are more is not.
    const [had, has] = [before.danglingRows, now.danglingRows];
    if (typeof had === "number" && typeof has === "number" && has > had) {
      told.push(`${has} rows refer to others that are not there; in the backup before it were ${had}`);
    }
    return told;
  },
};

const uploadsOf = ({ data }: Settings) => join(data, "uploads");

const wholeOf = (fingerprints: ReadonlyMap<string, string>) => JSON.stringify([...fingerprints]);

/** Why SQLite may not open the database while the app has it open; undefined when it may. */
async function whyAsleep(settings: Settings, { path, wal }: DatabaseFile): Promise<string | undefined> {
  const { network, locks } = await networkOf(dirname(path), settings.network);
  if (network && wal) return "it is in WAL mode on a network, where SQLite's WAL does not work for two machines";
  if (!locks) return "it is on a network, mounted without locks that others see";
  return undefined;
}

async function snapshotOf(ctx: RunContext<Settings>, { file }: WebuiSource): Promise<Snapshot> {
  const snapshot = await takeSnapshot(ctx, file.path, (await whyAsleep(ctx.settings, file)) !== undefined);
  if (snapshot.facts.rows.user !== 0) return snapshot;
  throw new Failure(
    "source_empty",
    `Cannot back up "${file.path}": a user is wanted, there is none: it is a fresh install`,
    {
      hint: `The backups are left as they are. To get the last one back: make restore-${ctx.app.name}`,
    },
  );
}

/** @returns sha256, which is the checksum too: equal content gives equal bytes. */
async function writeSnapshot(
  { signal }: RunContext,
  { path, sizeBytes }: Snapshot,
  stage: Parameters<typeof captureUploads>[2],
): Promise<string> {
  const file = await openReadBack(path, { signal });
  try {
    return (await stage.write("database", file.stream(), sizeBytes)).sha256;
  } finally {
    await file.close();
  }
}

async function newestManifest(ctx: RunContext) {
  return (await ctx.pointsOf(ctx.app.name)).findLast(({ good }) => good)?.manifest;
}
