import type { DatabaseSync } from "node:sqlite";
import { SqliteProblem } from "./problems.ts";
import type { DatabaseFacts } from "./protocol.ts";
import { missingUploads } from "./uploads.ts";

/** What every Open WebUI has had since it is migrated by Alembic. */
const wantedTables = ["user", "chat", "alembic_version"];
const mostDangling = 10_000;

/**
 * Looks at a database and says what is in it. Reads the rows of ordinary tables only: a view, a trigger or a virtual
 * table that calls itself one is never asked.
 * @param check How far it is proven: all of it with `integrity_check`, all but the indexes with `quick_check`.
 * @param uploads The folder that the rows of `file` are compared with.
 * @throws {SqliteProblem} `damaged`, `foreign`.
 */
export function inspect(
  db: DatabaseSync,
  check: "integrity" | "quick" | "none",
  uploads?: string | undefined,
): DatabaseFacts {
  const tables = ordinaryTables(db);
  const missing = wantedTables.filter((name) => !tables.includes(name));
  if (missing.length > 0) {
    throw new SqliteProblem(
      "foreign",
      `the tables ${wantedTables.join(", ")} are wanted, ${missing.join(", ")} is not there`,
    );
  }
  if (check !== "none") requireSound(db, check);
  const rows = Object.fromEntries(tables.map((name) => [name, count(db, name)]));
  const [version, ...more] = db.prepare("SELECT version_num FROM alembic_version").all();
  if (typeof version?.version_num !== "string" || more.length > 0) {
    throw new SqliteProblem("foreign", "one revision in alembic_version is wanted, which is none or several");
  }
  const firstUser = readFirstUser(db);
  const danglingRows = check === "integrity" ? countDangling(db) : undefined;
  return {
    revision: version.version_num.slice(0, 100),
    rows,
    ...(firstUser && { firstUser }),
    ...(danglingRows !== undefined && { danglingRows }),
    ...(uploads !== undefined && tables.includes("file") && { uploads: missingUploads(db, uploads) }),
    sqliteVersion: process.versions.sqlite ?? "unknown",
  };
}

/** Names of the tables whose rows stand in the file itself: no views, and no virtual tables. */
function ordinaryTables(db: DatabaseSync): string[] {
  const found = db
    .prepare(
      `SELECT name FROM sqlite_schema WHERE type = 'table' AND rootpage > 0 AND upper(sql) LIKE 'CREATE TABLE%'
         AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' ORDER BY name`,
    )
    .all();
  return found.map(({ name }) => String(name));
}

function requireSound(db: DatabaseSync, check: "integrity" | "quick"): void {
  const found = db.prepare(`PRAGMA ${check}_check(5)`).all();
  const complaints = found.map((row) => String(Object.values(row)[0]));
  if (complaints.length === 1 && complaints[0] === "ok") return;
  throw new SqliteProblem("damaged", `${check}_check says: ${complaints.join("; ").slice(0, 1000)}`);
}

const count = (db: DatabaseSync, table: string) =>
  Number(db.prepare(`SELECT count(*) AS n FROM ${quoted(table)}`).get()?.n);

const quoted = (name: string) => `"${name.replaceAll('"', '""')}"`;

function readFirstUser(db: DatabaseSync): DatabaseFacts["firstUser"] {
  try {
    const row = db.prepare('SELECT id, created_at FROM "user" ORDER BY created_at, id LIMIT 1').get();
    if (!row) return undefined;
    const createdAt = Number(row.created_at);
    return { id: String(row.id).slice(0, 200), ...(Number.isSafeInteger(createdAt) && { createdAt }) };
  } catch (error) {
    if ((error as { errcode?: number }).errcode !== 1) throw error;
    throw new SqliteProblem(
      "foreign",
      `the columns id and created_at of "user" are wanted: ${(error as Error).message}`,
    );
  }
}

/** @returns undefined when SQLite cannot make sense of what the schema says of references. */
function countDangling(db: DatabaseSync): number | undefined {
  let dangling = 0;
  try {
    for (const _ of db.prepare("PRAGMA foreign_key_check").iterate()) {
      dangling += 1;
      if (dangling === mostDangling) break;
    }
  } catch (error) {
    if ((error as { errcode?: number }).errcode !== 1) throw error;
    return undefined;
  }
  return dangling;
}
