import { Failure } from "../../shared/failures.ts";
import { change, type DatabaseContext, withAdmin } from "./admin.ts";
import { type Connection, rows } from "./connect.ts";
import { tableName } from "./dump/copy.ts";
import type { DumpSummary } from "./dump/scan.ts";
import type { Deferred } from "./load.ts";
import type { RestorePlan } from "./restore-plan.ts";
import { quoteName, quoteNames } from "./sql.ts";

/**
 * What the admin does in a scratch database once its guest is gone: compares, then gives owners and rights.
 * Nothing here evaluates an expression of the dump's: plain tables are counted, names are given to names.
 */
export async function finishScratch(
  ctx: DatabaseContext,
  name: string,
  plan: RestorePlan,
  deferred: Deferred,
): Promise<void> {
  await withAdmin(
    ctx,
    async (admin) => {
      ctx.progress("comparing rows");
      await compareContent(admin, deferred.summary);
      for (const statement of deferred.superuser) {
        await change(ctx, admin, "make what only a superuser can have", statement);
      }
      await ctx.step(`give owners and rights in ${name}`, () => giveRights(ctx, admin, deferred));
      await giveRest(ctx, admin, name, plan);
      await change(ctx, admin, `take the temporary role's rights`, `DROP OWNED BY ${quoteName(name)}`);
      // Last of all: nothing is left to be done that they could see.
      for (const statement of deferred.eventTriggers) await change(ctx, admin, "make its event triggers", statement);
    },
    { database: name },
  );
}

/**
 * What is in a database, by its plain tables alone.
 * @param wanted Names of tables as a dump's facts have them; of one that is not there nothing is told.
 */
export async function contentOf(
  connection: Connection,
  wanted: Iterable<string>,
): Promise<{ rows: Record<string, number>; largeObjects: number }> {
  const found = await rows<{ schema: string; name: string }>(
    connection,
    `SELECT n.nspname AS schema, c.relname AS name FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
      WHERE c.relkind = 'r' AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'`,
  );
  const tables = new Map(found.map(({ schema, name }) => [tableName([schema, name]), quoteNames([schema, name])]));
  const counts: Record<string, number> = {};
  for (const table of wanted) {
    const name = tables.get(table);
    if (name === undefined) continue;
    const [row] = await rows<{ count: string }>(connection, `SELECT count(*) AS count FROM ONLY ${name}`);
    counts[table] = Number(row?.count);
  }
  const [large] = await rows<{ count: string }>(connection, "SELECT count(*) AS count FROM pg_largeobject_metadata");
  return { rows: counts, largeObjects: Number(large?.count) };
}

/** @throws {Failure} `restore_failed` when a table, a row or a large object is missing or too many. */
async function compareContent(admin: Connection, wanted: Pick<DumpSummary, "tables" | "largeObjects">): Promise<void> {
  const { rows: counts, largeObjects } = await contentOf(admin, wanted.tables.keys());
  for (const [table, count] of wanted.tables) {
    const actual = counts[table];
    if (actual === undefined)
      throw new Failure("restore_failed", `Cannot find the table ${table} in what was restored`);
    if (actual !== count) {
      throw new Failure(
        "restore_failed",
        `Cannot keep what was restored: ${table} has ${actual} rows, ${count} are wanted`,
      );
    }
  }
  if (largeObjects !== wanted.largeObjects) {
    throw new Failure(
      "restore_failed",
      `Cannot keep what was restored: there are ${largeObjects} large objects, ${wanted.largeObjects} are wanted`,
    );
  }
}

/** Owners first: a right is given by the object's owner. */
async function giveRights(ctx: DatabaseContext, admin: Connection, { rights, notes }: Deferred): Promise<void> {
  await admin.query("SET synchronous_commit = off");
  const ordered = [
    ...rights.filter(({ kind }) => kind === "owner").map(({ sql }) => sql),
    ...rights.filter(({ kind }) => kind !== "owner").map(({ sql }) => sql),
    "RESET SESSION AUTHORIZATION",
    ...notes,
  ];
  for (const text of ordered) {
    ctx.signal.throwIfAborted();
    await admin.query({ text, queryMode: "extended" } as { text: string }).catch((cause) => {
      throw new Failure("restore_failed", `Cannot run "${text}": ${cause.message}`, { cause });
    });
  }
  await admin.query("SET synchronous_commit = on");
}

/** What the dump gave to nobody still belongs to the guest; it becomes the database owner's. */
async function giveRest(ctx: DatabaseContext, admin: Connection, guest: string, plan: RestorePlan): Promise<void> {
  const left = await rows<{ object: string }>(
    admin,
    `SELECT pg_describe_object(s.classid, s.objid, s.objsubid) AS object FROM pg_shdepend s
       JOIN pg_roles r ON r.oid = s.refobjid
      WHERE r.rolname = $1 AND s.refclassid = 'pg_authid'::regclass AND s.deptype = 'o' LIMIT 3`,
    [guest],
  );
  if (left.length === 0) return;
  if (plan.powerful.has(plan.owner) && !ctx.allows("superuser-owner")) {
    const names = left.map(({ object }) => object).join(", ");
    throw new Failure(
      "override_needed",
      `Cannot restore: the dump says nobody's ${names} are, and the database's owner ${plan.owner} is a superuser`,
      {
        hint: "If you trust this dump as much as the server's administrator, run this again with ALLOW=superuser-owner.",
      },
    );
  }
  const give = `REASSIGN OWNED BY ${quoteName(guest)} TO ${quoteName(plan.owner)}`;
  await change(ctx, admin, `give the rest to ${plan.owner}`, give);
}
