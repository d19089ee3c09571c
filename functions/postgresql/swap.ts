import { Failure } from "../../shared/failures.ts";
import { change, type DatabaseContext } from "./admin.ts";
import type { Connection } from "./connect.ts";
import { findDatabases, type Journal, ownComment, writeComment, writeJournal } from "./journal.ts";
import { keepMadeRoles } from "./made-roles.ts";
import { asideName, scratchName } from "./names.ts";
import { dropScratch } from "./scratch.ts";
import { endSessions } from "./sessions.ts";
import { quoteName } from "./sql.ts";

/** A database that is ready to take production's place. */
export interface Staged {
  readonly name: string;
  readonly journal: Journal;
}

const rename = (from: string, to: string) => `ALTER DATABASE ${quoteName(from)} RENAME TO ${quoteName(to)}`;
const connections = (name: string, allowed: boolean) =>
  `ALTER DATABASE ${quoteName(name)} WITH ALLOW_CONNECTIONS ${allowed}`;

/**
 * Sets production aside and puts the staged database in its place: no new connections, the old ones ended, then both
 * names and both journals in one transaction. When that fails, production is open again.
 */
export async function swapDatabases(ctx: DatabaseContext, admin: Connection, { name, journal }: Staged): Promise<void> {
  const { database } = ctx.settings;
  const { production, names } = await findDatabases(admin, database);
  const at = new Date(ctx.now()).toISOString();
  const aside = production ? asideName(database, ctx.now(), names) : null;
  const fromAside = name !== scratchName(database, journal.run);
  const setAside: Journal = {
    ...journal,
    phase: "aside",
    run: ctx.run.id,
    at,
    comment: ownComment(production?.comment ?? null),
    aside: null,
    back: null,
  };
  const swapped: Journal = {
    ...journal,
    phase: "swapped",
    run: ctx.run.id,
    at,
    aside,
    back: fromAside ? { name, run: journal.run, at: journal.at } : null,
  };
  const exchange = [
    ...(aside ? [rename(database, aside), writeJournal(aside, setAside)] : []),
    rename(name, database),
    connections(database, true),
    writeJournal(database, swapped),
  ];
  if (!production) return change(ctx, admin, `put ${name} in place as ${database}`, exchange);
  try {
    await closeDatabase(ctx, admin, database);
    await change(ctx, admin, `set ${database} aside and put ${name} in its place`, exchange);
  } catch (cause) {
    await openAgain(ctx, admin, database);
    if (cause instanceof Failure) throw cause;
    throw new Failure("restore_failed", `Cannot put the restored database in place: ${(cause as Error).message}`, {
      cause,
    });
  }
}

/** Nobody is in it afterwards, and nobody gets in. */
async function closeDatabase(ctx: DatabaseContext, admin: Connection, name: string): Promise<void> {
  await change(ctx, admin, `let nobody into ${name} any more`, connections(name, false));
  await ctx.step(`end the sessions in ${name}`, () => endSessions(admin, "datname = $1", [name]));
}

async function openAgain(ctx: DatabaseContext, admin: Connection, database: string): Promise<void> {
  await change(ctx, admin, `open ${database} again`, connections(database, true)).catch((error) =>
    ctx.log.error({ err: error }, "cannot open the database again now; the next run will"),
  );
}

/**
 * Undoes a swap that was not committed, and removes what had been in place meanwhile.
 * @returns The run whose swap it was; undefined when there is none.
 */
export async function undoSwap(ctx: DatabaseContext, admin: Connection): Promise<string | undefined> {
  const { database } = ctx.settings;
  const { production, asides } = await findDatabases(admin, database);
  const journal = production?.journal;
  if (!production || journal?.phase !== "swapped") return undefined;
  const before = journal.aside === null ? undefined : asides.find(({ name }) => name === journal.aside);
  if (journal.aside !== null && !before) {
    throw new Failure(
      "restore_failed",
      `Cannot undo the swap: the database "${journal.aside}", set aside by it, is gone`,
      {
        hint: `What is in "${database}" now was restored completely; to keep it, clear its comment: COMMENT ON DATABASE ${quoteName(database)} IS NULL.`,
      },
    );
  }
  const { back } = journal;
  const name = back?.name ?? scratchName(database, journal.run);
  const leaving: Journal = back
    ? { ...journal, phase: "aside", run: back.run, at: back.at, aside: null, back: null }
    : { ...journal, phase: "staging", aside: null };
  await closeDatabase(ctx, admin, database);
  await change(ctx, admin, `put ${before?.name ?? "nothing"} back as ${database}`, [
    rename(database, name),
    writeJournal(name, leaving),
    ...(before
      ? [rename(before.name, database), connections(database, true), writeComment(database, before.journal.comment)]
      : []),
  ]);
  if (!back) await dropScratch(ctx, admin, name);
  return journal.run;
}

/** Keeps a swap: nothing undoes it any more by itself. */
export async function commitSwap(ctx: DatabaseContext, admin: Connection): Promise<void> {
  const { database } = ctx.settings;
  const { production } = await findDatabases(admin, database);
  const journal = production?.journal;
  if (journal?.phase !== "swapped" || journal.run !== ctx.run.id) {
    throw new Failure(
      "restore_failed",
      `Cannot keep what was restored: the swap of "${database}" was undone meanwhile`,
      {
        hint: "Another Keepsake works on this database too. One of the two has to go.",
      },
    );
  }
  await change(ctx, admin, `commit the restore of ${database}`, [
    writeComment(database, journal.comment),
    ...(await keepMadeRoles(admin, database)),
  ]);
}
