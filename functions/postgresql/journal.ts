import { z } from "zod";
import { type Connection, rows } from "./connect.ts";
import { isAsideName, scratchPrefix } from "./names.ts";
import { quoteName, quoteText } from "./sql.ts";

/*
 * A restore's journal: it is written into the comments of the databases that it is about, where a rename takes it
 * along in the same transaction. So a crash at any moment leaves databases that say themselves what they are.
 *
 *   staging   a scratch database that is being filled
 *   staged    one that is ready to take production's place: a scratch one, or one that was set aside (undo)
 *   swapped   it has taken production's place and name; until this is gone, a crash undoes it
 *   aside     production until the swap of that run; refuses connections
 */

export const Journal = z.object({
  keepsake: z.literal(1),
  phase: z.enum(["staging", "staged", "swapped", "aside"]),
  /** The run that wrote it; of one that is aside or staged from there, the run that set it aside. */
  run: z.string(),
  /** RFC 3339, UTC. */
  at: z.string(),
  /** The name of production. */
  database: z.string(),
  /** The database's own comment, which this one stands in for. */
  comment: z.string().nullable(),
  /** Swapped: what production is called since; null when there was none. */
  aside: z.string().nullable().default(null),
  /** Swapped by an undo: what it was before, and is again if that is undone. */
  back: z.object({ name: z.string(), run: z.string(), at: z.string() }).nullable().default(null),
});
export type Journal = z.infer<typeof Journal>;

const said: Record<Journal["phase"], string> = {
  staging: "being filled by Keepsake",
  staged: "about to be put in place by Keepsake",
  swapped: "being put in place by Keepsake",
  aside: "set aside by Keepsake when a backup was restored",
};

/** The statement that writes it. */
export const writeJournal = (name: string, journal: Journal) =>
  `COMMENT ON DATABASE ${quoteName(name)} IS ${quoteText(`${said[journal.phase]}; ${JSON.stringify(journal)}`)}`;

export const writeComment = (name: string, comment: string | null) =>
  `COMMENT ON DATABASE ${quoteName(name)} IS ${comment === null ? "NULL" : quoteText(comment)}`;

/** @returns undefined for everybody else's comments. */
function parseJournal(comment: string | null): Journal | undefined {
  const at = comment?.indexOf('; {"keepsake":1,') ?? -1;
  if (comment === null || at < 0) return undefined;
  try {
    return Journal.parse(JSON.parse(comment.slice(at + 2)));
  } catch {
    return undefined;
  }
}

/** A database's comment as a person wrote it: a journal that a dump brings, or a rename by hand left, is not believed. */
export function ownComment(comment: string | null): string | null {
  const journal = parseJournal(comment);
  return journal ? ownComment(journal.comment) : comment;
}

interface FoundDatabase {
  readonly name: string;
  readonly allowsConnections: boolean;
  readonly sizeBytes: number;
  readonly comment: string | null;
  readonly journal?: Journal;
}

export interface Databases {
  readonly production?: FoundDatabase;
  /** By their name; whether or not their journal was already written. */
  readonly scratch: readonly FoundDatabase[];
  /** Set aside, or staged from there; newest first. */
  readonly asides: readonly (FoundDatabase & { journal: Journal })[];
  readonly names: ReadonlySet<string>;
}

/** The databases of the server that concern one production database. */
export async function findDatabases(connection: Connection, database: string): Promise<Databases> {
  const found = await rows<{ name: string; allows: boolean; bytes: string; comment: string | null; template: boolean }>(
    connection,
    `SELECT datname AS name, datallowconn AS allows, pg_database_size(oid) AS bytes, datistemplate AS template,
            shobj_description(oid, 'pg_database') AS comment FROM pg_database`,
  );
  const all = found.map(({ name, allows, bytes, comment }): FoundDatabase => {
    const journal = parseJournal(comment);
    const ours = journal?.database === database ? { journal } : {};
    return { name, allowsConnections: allows, sizeBytes: Number(bytes), comment, ...ours };
  });
  const prefix = scratchPrefix(database);
  const isScratch = ({ name }: FoundDatabase) => name.startsWith(prefix) && name.length === prefix.length + 8;
  const production = all.find(({ name }) => name === database);
  // By its name too: what somebody has renamed is theirs.
  const asides = all.filter(
    (db): db is FoundDatabase & { journal: Journal } =>
      isAsideName(database, db.name) && (db.journal?.phase === "aside" || db.journal?.phase === "staged"),
  );
  return {
    ...(production && { production }),
    scratch: all.filter(isScratch),
    asides: asides.sort((a, b) => Date.parse(b.journal.at) - Date.parse(a.journal.at)),
    names: new Set(all.map(({ name }) => name)),
  };
}
