import type { Aside, PointFacts, PresentData, Recovered, RestoreTarget } from "../../shared/app.ts";
import { Failure } from "../../shared/failures.ts";
import type { ReadBack } from "../../shared/nas/read-back.ts";
import { change, type DatabaseContext, withAdmin } from "./admin.ts";
import { type Connection, maintenanceDatabase, rows, withConnection } from "./connect.ts";
import { countUserRelations, identityOf, systemIdentifier } from "./describe.ts";
import { dumpIn } from "./dump-file.ts";
import { findDatabases, type Journal, writeComment, writeJournal } from "./journal.ts";
import { dropMadeRoles, keepMadeRoles } from "./made-roles.ts";
import { scratchName, scratchPrefix, sessionName } from "./names.ts";
import { dropScratch } from "./scratch.ts";
import { endSessions } from "./sessions.ts";
import { quoteName } from "./sql.ts";
import { stageDump } from "./stage.ts";
import { commitSwap, type Staged, swapDatabases, undoSwap } from "./swap.ts";

/** One database of a server as the place of a restore. Each method has its own connections. */
export class DatabaseTarget implements RestoreTarget {
  readonly #ctx: DatabaseContext;
  #staged: Staged | undefined;

  constructor(ctx: DatabaseContext) {
    this.#ctx = ctx;
  }

  /** To be called under the app's lock: whatever else is restoring this database then is a run that died. */
  async recover(): Promise<Recovered> {
    const ctx = this.#ctx;
    const { database } = ctx.settings;
    return withAdmin(ctx, async (admin) => {
      // The server goes on with the last statement of a process that died.
      const dead = "(application_name = $1 OR starts_with(usename, $2))";
      const named = [sessionName(database), scratchPrefix(database)];
      if (
        (await rows(admin, `SELECT FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND ${dead}`, named)).length > 0
      ) {
        await ctx.step("end the sessions of a run that died", () => endSessions(admin, dead, named));
      }
      const undone = await undoSwap(ctx, admin);
      const runId = (await this.#clean(admin)) ?? undone;
      if (undone !== undefined) return { action: "rolled_back", runId: undone };
      return runId === undefined ? { action: "nothing" } : { action: "cleaned", ...(runId !== "" && { runId }) };
    });
  }

  /** @returns The run that left something, "" when that is not known, undefined when there was nothing. */
  async #clean(admin: Connection): Promise<string | undefined> {
    const ctx = this.#ctx;
    const { production, scratch, asides } = await findDatabases(admin, ctx.settings.database);
    const staged = asides.filter(({ journal }) => journal.phase === "staged");
    const left = [...scratch, ...staged];
    if (production && !production.allowsConnections && left.length > 0) {
      const open = `ALTER DATABASE ${quoteName(production.name)} WITH ALLOW_CONNECTIONS true`;
      await change(ctx, admin, `open ${production.name} again`, open);
    }
    for (const { name, journal } of staged) {
      await change(ctx, admin, `leave ${name} aside`, writeJournal(name, { ...journal, phase: "aside" }));
    }
    for (const { name } of scratch) await dropScratch(ctx, admin, name);
    const prefix = scratchPrefix(ctx.settings.database);
    const guests = await rows<{ name: string }>(
      admin,
      "SELECT rolname AS name FROM pg_roles WHERE starts_with(rolname, $1) AND length(rolname) = length($1) + 8",
      [prefix],
    );
    for (const { name } of guests) await dropScratch(ctx, admin, name);
    await dropMadeRoles(ctx, admin, ctx.settings.database);
    if (left.length === 0 && guests.length === 0) return undefined;
    return left.find(({ journal }) => journal)?.journal?.run ?? "";
  }

  async present(): Promise<PresentData | undefined> {
    const { settings, signal } = this.#ctx;
    const { database } = settings;
    const { found, system } = await this.#look(async (connection) => ({
      found: (await findDatabases(connection, database)).production,
      system: await systemIdentifier(connection),
    }));
    if (!found) return undefined;
    return withConnection(settings, { database, signal }, async (connection) => {
      if ((await countUserRelations(connection)) === 0) return undefined;
      const [row] = await rows<{ tables: number; changed: Date | null }>(connection, tablesAndChange);
      return {
        sizeBytes: found.sizeBytes,
        label: `database ${database}, ${row?.tables} tables`,
        identity: identityOf(system, database),
        ...(row?.changed && { changedAtMs: row.changed.getTime() }),
      };
    });
  }

  async stage(files: ReadonlyMap<string, ReadBack>, point: PointFacts): Promise<void> {
    const name = scratchName(this.#ctx.settings.database, this.#ctx.run.id);
    this.#staged = { name, journal: await stageDump(this.#ctx, dumpIn(files), point, name) };
  }

  async stageAside(aside: Aside): Promise<void> {
    await withAdmin(this.#ctx, async (admin) => {
      const { name, journal } = await this.#find(admin, aside);
      const staged: Journal = { ...journal, phase: "staged" };
      await change(this.#ctx, admin, `make ${name} ready to be put back`, writeJournal(name, staged));
      this.#staged = { name, journal: staged };
    });
  }

  async swap(): Promise<void> {
    const staged = this.#staged;
    if (!staged) throw new Failure("internal", "Cannot swap: nothing is staged");
    await withAdmin(this.#ctx, (admin) => swapDatabases(this.#ctx, admin, staged));
  }

  async rollBack(): Promise<void> {
    await withAdmin(
      this.#ctx,
      async (admin) => {
        await undoSwap(this.#ctx, admin);
        await this.#clean(admin);
      },
      { evenCancelled: true },
    );
  }

  async commit(): Promise<void> {
    await withAdmin(this.#ctx, (admin) => commitSwap(this.#ctx, admin));
  }

  async asides(): Promise<Aside[]> {
    const { asides } = await this.#look((connection) => findDatabases(connection, this.#ctx.settings.database));
    return asides
      .filter(({ journal }) => journal.phase === "aside")
      .map(({ name, sizeBytes, journal }) => ({
        id: journal.run,
        setAsideAtMs: Date.parse(journal.at),
        sizeBytes,
        label: `database ${name}`,
      }));
  }

  async removeAside(aside: Aside): Promise<void> {
    await withAdmin(this.#ctx, async (admin) => {
      const { asides } = await findDatabases(admin, this.#ctx.settings.database);
      const found = asides.find(({ journal }) => journal.run === aside.id);
      if (!found) return;
      await change(
        this.#ctx,
        admin,
        `drop the database ${found.name}`,
        `DROP DATABASE IF EXISTS ${quoteName(found.name)} WITH (FORCE)`,
      );
    });
  }

  async place(files: ReadonlyMap<string, ReadBack>, point: PointFacts, to: string): Promise<string> {
    const { settings, run } = this.#ctx;
    if (!/^[a-z_][a-z0-9_-]{0,62}$/i.test(to) || to.startsWith("keepsake_") || to.startsWith("pg_")) {
      throw new Failure("target_invalid", `Cannot restore to "${to}": a new database's name is wanted`, {
        hint: "Letters, digits, _ and -, beginning with a letter; 63 at most.",
      });
    }
    const taken = await this.#look((connection) => findDatabases(connection, settings.database));
    if (taken.names.has(to)) {
      throw new Failure("target_exists", `Cannot restore to the database "${to}": it exists already`);
    }
    const name = scratchName(settings.database, run.id);
    const { comment } = await stageDump(this.#ctx, dumpIn(files), point, name);
    await withAdmin(this.#ctx, async (admin) =>
      change(this.#ctx, admin, `call the restored database ${to}`, [
        `ALTER DATABASE ${quoteName(name)} RENAME TO ${quoteName(to)}`,
        writeComment(to, comment),
        ...(await keepMadeRoles(admin, settings.database)),
      ]),
    );
    return `database "${to}" on ${settings.host}:${settings.port}`;
  }

  async #find(admin: Connection, aside: Aside) {
    const { asides } = await findDatabases(admin, this.#ctx.settings.database);
    const found = asides.find(({ journal }) => journal.run === aside.id);
    if (!found)
      throw new Failure("not_found", `Cannot find what the run ${aside.id} set aside: ${aside.label} is gone`);
    return found;
  }

  #look<T>(use: (connection: Connection) => Promise<T>): Promise<T> {
    const { settings, signal } = this.#ctx;
    return withConnection(settings, { database: maintenanceDatabase(settings), signal }, use);
  }
}

/** The newest change of a table's file: what was written in the last minutes may not be in it yet. */
const tablesAndChange = `
  SELECT count(*) FILTER (WHERE c.relkind IN ('r', 'p'))::int AS tables,
         max((pg_stat_file(pg_relation_filepath(c.oid), true)).modification) FILTER (WHERE c.relkind = 'r') AS changed
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
   WHERE n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'`;
