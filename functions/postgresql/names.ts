import { createHash } from "node:crypto";

/** PostgreSQL cuts longer names off. */
const maxNameBytes = 63;

const short = (text: string) => createHash("sha256").update(text).digest("hex").slice(0, 8);

/** What all scratch databases of one app's database are called; its temporary roles have the same names. */
export const scratchPrefix = (database: string) => `keepsake_${short(database)}_`;

/** The database that a run fills, and the role that fills it. */
export const scratchName = (database: string, runId: string) => scratchPrefix(database) + short(runId);

/** Sessions that change something for one app's database. */
export const sessionName = (database: string) => `keepsake-restore-${short(database)}`;

/**
 * "shared_old_20251219_180000": what a database is called that was set aside, in UTC. Two in one second would get
 * the same name, so the second one's is a second later.
 */
export function asideName(database: string, atMs: number, taken: ReadonlySet<string>): string {
  for (let ms = atMs; ; ms += 1000) {
    const iso = new Date(ms).toISOString();
    const suffix = `_old_${iso.slice(0, 10).replaceAll("-", "")}_${iso.slice(11, 19).replaceAll(":", "")}`;
    const name = cut(database, maxNameBytes - suffix.length) + suffix;
    if (!taken.has(name)) return name;
  }
}

/** Whether a name is one that `asideName` gives. */
export function isAsideName(database: string, name: string): boolean {
  const [suffix] = /_old_\d{8}_\d{6}$/.exec(name) ?? [];
  return suffix !== undefined && name === cut(database, maxNameBytes - suffix.length) + suffix;
}

function cut(name: string, bytes: number): string {
  let kept = name;
  while (Buffer.byteLength(kept) > bytes) kept = [...kept].slice(0, -1).join("");
  return kept;
}
