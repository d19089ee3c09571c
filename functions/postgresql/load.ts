import { from as copyFrom } from "pg-copy-streams";
import { Failure } from "../../shared/failures.ts";
import type { ReadBack } from "../../shared/nas/read-back.ts";
import type { DatabaseContext } from "./admin.ts";
import { type Connection, serverFailure, sqlState, withConnection } from "./connect.ts";
import type { Statement } from "./dump/classify.ts";
import { gunzip } from "./dump/gunzip.ts";
import type { RightsStatement } from "./dump/rights.ts";
import { type DumpSummary, scanDump } from "./dump/scan.ts";
import type { Guest } from "./scratch.ts";

/** What the admin does after the guest is gone. */
export interface Deferred {
  readonly rights: RightsStatement[];
  /** Comments on what the admin made. */
  readonly notes: string[];
  /** What only superusers can have. */
  readonly superuser: string[];
  readonly eventTriggers: string[];
  /** What the dump held this time. */
  readonly summary: DumpSummary;
}

/** All that is kept in memory of a dump while it is loaded. */
const maxDeferredBytes = 48 << 20;

/**
 * Runs a dump's statements as the guest, each one alone in a message that can hold no second one, and its rows
 * through COPY. Nothing else of the dump reaches the server; owners and grants are collected.
 * @param made Schemas that are there already.
 * @param expected What was found in the dump before; another content now is refused.
 */
export async function loadDump(
  ctx: DatabaseContext,
  file: ReadBack,
  database: string,
  guest: Guest,
  made: ReadonlySet<string>,
  expected: DumpSummary,
): Promise<Deferred> {
  const { settings, signal } = ctx;
  return withConnection(settings, { database, as: guest, name: "keepsake-load", signal }, async (connection) => {
    const loader = new Loader(ctx, connection, made, expected);
    await loader.begin();
    const summary = await scanDump(gunzip(file), loader);
    if (summary.checksum !== expected.checksum) {
      throw new Failure("backup_damaged", `Cannot restore "${file.path}": it changed while it was read`);
    }
    await ctx.step("gather statistics of the new tables", () => connection.query("ANALYZE"));
    return { ...loader.deferred, summary };
  });
}

type Copy = ReturnType<typeof copyFrom>;

class Loader {
  readonly deferred = {
    rights: [] as RightsStatement[],
    notes: [] as string[],
    superuser: [] as string[],
    eventTriggers: [] as string[],
  };
  readonly #ctx: DatabaseContext;
  readonly #connection: Connection;
  readonly #made: ReadonlySet<string>;
  readonly #expected: DumpSummary;
  #deferredBytes = 0;
  #doneBytes = 0;
  #table = "";
  #copy: Copy | undefined;
  #copyError: Error | undefined;
  #wake: () => void = () => {};

  constructor(ctx: DatabaseContext, connection: Connection, made: ReadonlySet<string>, expected: DumpSummary) {
    this.#ctx = ctx;
    this.#connection = connection;
    this.#made = made;
    this.#expected = expected;
  }

  async begin(): Promise<void> {
    await this.#ctx.step("load the dump's first statements", async () => {
      // The swap's own commit, which is synchronous, makes all of this durable.
      await this.#connection.query("SET synchronous_commit = off");
    });
  }

  async onStatement(statement: Statement, sql: string): Promise<void> {
    this.#doneBytes += sql.length;
    switch (statement.kind) {
      case "copy":
        this.#table = statement.target.table;
        await this.#ctx.step(`load the rows of ${this.#table}`, async () => this.#beginCopy(statement.target.sql));
        return;
      case "schema":
        return this.#made.has(statement.name) ? undefined : this.#run(sql);
      case "run":
        return this.#run(sql);
      case "extension":
        if (this.#expected.extensions.has(statement.name)) return;
        throw new Failure("backup_damaged", `Cannot restore: the extension ${statement.name} was not there before`);
      case "note":
        return this.#defer(this.deferred.notes, statement.sql);
      case "superuser":
        return this.#defer(statement.late ? this.deferred.eventTriggers : this.deferred.superuser, sql);
      case "refused":
        return;
      default:
        if (statement.kind === "owner" && statement.object.startsWith("EVENT TRIGGER ")) {
          return this.#defer(this.deferred.eventTriggers, statement.sql);
        }
        this.#deferredBytes += statement.sql.length;
        this.deferred.rights.push(statement);
        this.#bound();
    }
  }

  #defer(list: string[], sql: string): void {
    this.#deferredBytes += sql.length;
    list.push(sql);
    this.#bound();
  }

  #bound(): void {
    if (this.#deferredBytes <= maxDeferredBytes) return;
    throw new Failure("restore_failed", "Cannot restore the dump: it has more owners and grants than fit in memory");
  }

  async #run(sql: string): Promise<void> {
    try {
      await this.#connection.query({ text: sql, queryMode: "extended" } as { text: string });
    } catch (error) {
      // A newer pg_dump sets what an older server does not know yet.
      if (/^SET /.test(sql) && sqlState(error) === "42704") return;
      // Up to the first text: options of a user mapping are a password.
      throw this.#failure(`run ${JSON.stringify(sql.slice(0, 120).replace(/['$].*/s, "…"))}`, error);
    }
    this.#ctx.progress("loading", this.#doneBytes, this.#expected.sizeBytes);
  }

  #beginCopy(sql: string): void {
    this.#copyError = undefined;
    const copy = this.#connection.query(copyFrom(sql));
    copy.on("error", (error) => {
      this.#copyError = error;
      this.#wake();
    });
    copy.on("drain", () => this.#wake());
    copy.on("finish", () => this.#wake());
    this.#copy = copy;
  }

  async onRows(bytes: Buffer): Promise<void> {
    const copy = this.#copy as Copy;
    this.#throwCopyError();
    if (!copy.write(bytes)) await this.#woken(() => !copy.writableNeedDrain);
    this.#throwCopyError();
    this.#doneBytes += bytes.length;
    this.#ctx.progress("loading", this.#doneBytes, this.#expected.sizeBytes);
  }

  async onRowsEnd(rows: number): Promise<void> {
    const copy = this.#copy as Copy;
    this.#throwCopyError();
    copy.end();
    await this.#woken(() => copy.writableFinished);
    this.#throwCopyError();
    if (copy.rowCount !== rows) {
      throw new Failure(
        "restore_failed",
        `Cannot load ${this.#table}: ${rows} rows are wanted, ${copy.rowCount} arrived`,
      );
    }
  }

  async #woken(done: () => boolean): Promise<void> {
    while (!done() && !this.#copyError) await new Promise<void>((resolve) => (this.#wake = resolve));
  }

  #throwCopyError(): void {
    if (this.#copyError) throw this.#failure(`load the rows of ${this.#table}`, this.#copyError);
  }

  #failure(what: string, cause: unknown): unknown {
    if (sqlState(cause) !== "42501") return serverFailure(cause, what, "restore_failed");
    return new Failure("restore_failed", `Cannot ${what}: ${(cause as Error).message}`, {
      cause,
      hint: "A dump is loaded without a superuser's rights. If it is to be trusted, load it by hand as the README shows.",
    });
  }
}
