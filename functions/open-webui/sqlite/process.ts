import { rmSync, writeSync } from "node:fs";
import type { DatabaseSync } from "node:sqlite";
import { copyPages } from "./copy-pages.ts";
import { inspect } from "./inspect.ts";
import { openDatabase } from "./open.ts";
import { toProblem } from "./problems.ts";
import type { Copy, DatabaseFacts, SqliteReply, SqliteRequest } from "./protocol.ts";

/*
 * SQLite in a process of its own: node process.ts '<request as JSON>'. Its calls block, so a run could neither tell its
 * progress nor be cancelled meanwhile; and a damaged or hostile database can bring down no more than this process.
 */

const say = (reply: SqliteReply) => void writeSync(1, `${JSON.stringify(reply)}\n`);

async function answer(request: SqliteRequest): Promise<SqliteReply> {
  switch (request.operation) {
    case "snapshot":
      await using(openDatabase(request.from, "shared", request.busyMs), (db) => copyTo(db, request.raw));
      return { facts: await proveAndWrite(request) };
    case "settle":
      await using(openDatabase(request.from, "own"), (db) => copyTo(db, request.raw));
      for (const suffix of ["", "-journal", "-wal", "-shm"]) rmSync(request.from + suffix, { force: true });
      return { facts: await proveAndWrite(request) };
    case "prove": {
      const check = request.quick ? "quick" : "integrity";
      const prove = async (db: DatabaseSync) => inspect(db, check, request.uploads);
      return { facts: await using(openDatabase(request.path, "frozen"), prove) };
    }
    case "look":
      return {
        facts: await using(openDatabase(request.path, "shared", request.busyMs), async (db) => inspect(db, "none")),
      };
  }
}

async function copyTo(db: DatabaseSync, raw: string): Promise<void> {
  // What is wrong with it shows here, with a reason; the copying itself gives none.
  const pageBytes = Number(db.prepare("PRAGMA page_size").get()?.page_size);
  db.prepare("SELECT count(*) FROM sqlite_schema").get();
  await copyPages(db, raw, (done, total) =>
    say({
      progress: { phase: "copying the database", doneBytes: done * pageBytes, totalBytes: total * pageBytes },
    }),
  );
}

/** The copy is proven as it is: VACUUM would rebuild what is wrong with an index, and call nothing damaged. */
async function proveAndWrite({ raw, into, uploads }: Copy): Promise<DatabaseFacts> {
  const facts = await using(openDatabase(raw, "own"), async (db) => {
    say({ progress: { phase: "checking the database" } });
    const found = inspect(db, "integrity", uploads);
    say({ progress: { phase: "writing what it holds" } });
    db.prepare("VACUUM INTO ?").run(into);
    return found;
  });
  rmSync(raw);
  return facts;
}

async function using<T>(db: DatabaseSync, use: (db: DatabaseSync) => Promise<T>): Promise<T> {
  try {
    return await use(db);
  } finally {
    db.close();
  }
}

try {
  say(await answer(JSON.parse(process.argv[2] ?? "") as SqliteRequest));
} catch (error) {
  say({ problem: toProblem(error) });
}
