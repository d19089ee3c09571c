import { randomUUID } from "node:crypto";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { chatWriter, makeDatabase } from "./make-database.ts";
import { revisions } from "./schema.ts";

/**
 * The part of an Open WebUI server that a backup meets: how it opens its database, migrates it, and writes chats. As
 * the real one it sets the journal mode at each connect, brings an older database up to its own revision, does not
 * start over a newer one, and makes a fresh database, without users, where there is none.
 */
export class WebuiServer {
  readonly #db: DatabaseSync;
  readonly #add: (n: number) => void;
  #chats = 0;

  private constructor(db: DatabaseSync) {
    this.#db = db;
    this.#add = chatWriter(db, { seed: randomUUID() });
  }

  /** @throws When the database is damaged, or of a revision that this server does not know. */
  static start(data: string, { wal = false, head }: { wal?: boolean; head?: string } = {}): WebuiServer {
    const path = join(data, "webui.db");
    if (!existsSync(path)) makeDatabase(path, { users: 0 });
    const db = new DatabaseSync(path, { enableForeignKeyConstraints: false, timeout: 5000 });
    db.exec(`PRAGMA journal_mode=${wal ? "WAL" : "DELETE"}`);
    const known = revisions.slice(0, head === undefined ? undefined : revisions.indexOf(head as never) + 1);
    const { version_num } = db.prepare("SELECT version_num FROM alembic_version").get() as { version_num: string };
    if (!known.includes(version_num as never)) {
      db.close();
      throw new Error(`Can't locate revision identified by '${version_num}'`);
    }
    if (version_num !== known.at(-1))
      db.prepare("UPDATE alembic_version SET version_num = ?").run(known.at(-1) as string);
    return new WebuiServer(db);
  }

  /** Somebody chats. */
  chat(): void {
    this.#db.exec("BEGIN IMMEDIATE");
    this.#add(this.#chats);
    this.#db.exec("COMMIT");
    this.#chats += 1;
  }

  /** Leaves a transaction half way, as a crash does: the journal of it stays hot. */
  chatAndCrash(): never {
    // A page cache of one page, so that pages are written before the commit.
    this.#db.exec("PRAGMA cache_size=1; BEGIN IMMEDIATE");
    for (let n = 0; n < 50; n++) this.#add(this.#chats + n);
    this.#db.exec("UPDATE chat SET title = title || ' (lost)'");
    process.kill(process.pid, "SIGKILL");
    throw new Error("not reached");
  }

  close(): void {
    this.#db.close();
  }
}
