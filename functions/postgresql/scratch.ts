import { randomBytes } from "node:crypto";
import { change, type DatabaseContext, withAdmin } from "./admin.ts";
import { type Connection, rows, sqlState } from "./connect.ts";
import type { DumpSummary } from "./dump/scan.ts";
import { type Journal, ownComment, writeJournal } from "./journal.ts";
import { dropMadeRoles, markRole } from "./made-roles.ts";
import type { DatabaseFacts } from "./preamble.ts";
import type { RestorePlan } from "./restore-plan.ts";
import { scramVerifier } from "./scram.ts";
import { endSessions } from "./sessions.ts";
import { quoteName, quoteText } from "./sql.ts";

/** The role that runs a dump's statements: it may do anything in the scratch database, and nothing outside of it. */
export interface Guest {
  readonly user: string;
  readonly password: string;
}

/**
 * Makes an empty database and the guest that shall fill it, and the roles that are missing.
 * The database belongs to the admin until it is filled: its owner could make settings of it that the admin's own
 * sessions there would then begin with.
 */
export async function makeScratch(
  ctx: DatabaseContext,
  admin: Connection,
  name: string,
  plan: RestorePlan,
): Promise<{ guest: Guest; journal: Journal }> {
  const journal: Journal = {
    keepsake: 1,
    phase: "staging",
    run: ctx.run.id,
    at: new Date(ctx.now()).toISOString(),
    database: ctx.settings.database,
    comment: ownComment(plan.properties?.comment ?? null),
    aside: null,
    back: null,
  };
  const database = quoteName(name);
  await createDatabase(ctx, admin, name, plan.properties);
  await change(ctx, admin, `note what ${name} is`, writeJournal(name, journal));
  await change(ctx, admin, `close ${name} to everybody`, `REVOKE ALL ON DATABASE ${database} FROM PUBLIC`);
  for (const role of plan.missingRoles) {
    const grants = role.memberOf
      .filter((group) => !plan.powerful.has(group) && !group.startsWith("pg_"))
      .map((group) => `GRANT ${quoteName(group)} TO ${quoteName(role.name)}`);
    const create = `CREATE ROLE ${quoteName(role.name)} NOLOGIN${role.inherit ? "" : " NOINHERIT"}`;
    await change(ctx, admin, `make the role ${role.name}`, [create, markRole(role.name, name), ...grants]);
    ctx.warn(
      `The role "${role.name}" was missing; it was made without login${role.login ? `. To let it in again: ALTER ROLE ${quoteName(role.name)} LOGIN PASSWORD '…'` : ""}.`,
    );
  }
  const guest = { user: name, password: randomBytes(24).toString("base64url") };
  await change(
    ctx,
    admin,
    `make the temporary role ${name}`,
    `CREATE ROLE ${database} LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS PASSWORD ${quoteText(scramVerifier(guest.password))}`,
  );
  await change(
    ctx,
    admin,
    `let it into ${name}`,
    `GRANT CONNECT, CREATE, TEMPORARY ON DATABASE ${database} TO ${database}`,
  );
  return { guest, journal };
}

async function createDatabase(
  ctx: DatabaseContext,
  admin: Connection,
  name: string,
  facts: DatabaseFacts | undefined,
): Promise<void> {
  const create = `CREATE DATABASE ${quoteName(name)} TEMPLATE template0`;
  const encoding = facts ? ` ENCODING ${quoteText(facts.encoding)}` : "";
  try {
    await change(ctx, admin, `create the database ${name}`, create + encoding + (facts ? localeSql(facts.locale) : ""));
  } catch (error) {
    // 42809, 22023: a locale that this server's operating system does not have.
    if (!facts || !["42809", "22023"].includes(sqlState(error) ?? "")) throw error;
    ctx.warn(
      `The server does not know the locale ${facts.locale.name ?? facts.locale.collate}; the database gets the server's own: texts may be sorted differently.`,
    );
    await change(ctx, admin, `create the database ${name}`, create + encoding);
  }
}

function localeSql({ provider, collate, ctype, name, rules }: DatabaseFacts["locale"]): string {
  const libc = ` LC_COLLATE ${quoteText(collate)} LC_CTYPE ${quoteText(ctype)}`;
  if (provider === "libc" || name === null) return libc;
  const key = provider === "icu" ? "ICU_LOCALE" : "BUILTIN_LOCALE";
  return `${libc} LOCALE_PROVIDER ${provider} ${key} ${quoteText(name)}${rules === null ? "" : ` ICU_RULES ${quoteText(rules)}`}`;
}

/**
 * Makes what only the admin can make, while nothing of the dump's own is in the database that the extensions'
 * scripts could stumble over.
 * @returns The schemas that are there now.
 */
export async function prepareScratch(ctx: DatabaseContext, name: string, summary: DumpSummary): Promise<Set<string>> {
  const guest = quoteName(name);
  const schemas = new Set<string>();
  await withAdmin(
    ctx,
    async (admin) => {
      await change(ctx, admin, `open its schema public`, `GRANT USAGE, CREATE ON SCHEMA public TO ${guest}`);
      for (const [extension, schema] of summary.extensions) {
        if (schema !== undefined && summary.schemas.has(schema) && !schemas.has(schema)) {
          schemas.add(schema);
          await change(
            ctx,
            admin,
            `make the schema ${schema}`,
            `CREATE SCHEMA ${quoteName(schema)} AUTHORIZATION ${guest}`,
          );
        }
        const where = schema === undefined ? "" : ` WITH SCHEMA ${quoteName(schema)}`;
        await change(
          ctx,
          admin,
          `make the extension ${extension}`,
          `CREATE EXTENSION IF NOT EXISTS ${quoteName(extension)}${where}`,
        );
      }
      for (const statement of await extensionGrants(ctx, admin, guest)) {
        await change(ctx, admin, "open what the extensions brought", statement);
      }
    },
    { database: name },
  );
  return schemas;
}

/** Foreign servers may be made with what an extension brought; its own tables are filled only where that is trusted. */
async function extensionGrants(ctx: DatabaseContext, admin: Connection, guest: string): Promise<string[]> {
  const wrappers = await rows<{ name: string }>(admin, "SELECT fdwname AS name FROM pg_foreign_data_wrapper");
  const tables = ctx.allows("superuser-owner")
    ? await rows<{ name: string }>(admin, "SELECT unnest(extconfig)::regclass::text AS name FROM pg_extension")
    : [];
  return [
    ...wrappers.map(({ name }) => `GRANT USAGE ON FOREIGN DATA WRAPPER ${quoteName(name)} TO ${guest}`),
    ...tables.map(({ name }) => `GRANT ALL ON ${name} TO ${guest}`),
  ];
}

/** From now on nothing runs in the scratch database but what the admin says. */
export async function retireGuest(
  ctx: DatabaseContext,
  admin: Connection,
  { user }: Pick<Guest, "user">,
): Promise<void> {
  await change(ctx, admin, `lock the temporary role ${user}`, `ALTER ROLE ${quoteName(user)} NOLOGIN`);
  await ctx.step(`end the sessions of ${user}`, () => endSessions(admin, "usename = $1", [user]));
}

/** Removes a scratch database, its guest, and the roles that were made for it. All may be absent. */
export async function dropScratch(ctx: DatabaseContext, admin: Connection, name: string): Promise<void> {
  if ((await rows(admin, "SELECT FROM pg_database WHERE datname = $1", [name])).length > 0) {
    await change(ctx, admin, `drop the database ${name}`, `DROP DATABASE IF EXISTS ${quoteName(name)} WITH (FORCE)`);
  }
  if ((await rows(admin, "SELECT FROM pg_roles WHERE rolname = $1", [name])).length > 0) {
    await ctx.step(`end the sessions of ${name}`, () => endSessions(admin, "usename = $1", [name]));
    await change(ctx, admin, `drop the temporary role ${name}`, `DROP ROLE IF EXISTS ${quoteName(name)}`);
  }
  await dropMadeRoles(ctx, admin, ctx.settings.database);
}
