import { change, type DatabaseContext } from "./admin.ts";
import { type Connection, rows, sqlState } from "./connect.ts";
import { scratchPrefix } from "./names.ts";
import { quoteName, quoteText } from "./sql.ts";

/*
 * Roles that a restore had to make carry a comment until the restore is committed, so that one that is undone, or
 * whose process died, leaves none of them behind.
 */

const mark = "Made by Keepsake for ";

export const markRole = (role: string, scratch: string) =>
  `COMMENT ON ROLE ${quoteName(role)} IS ${quoteText(mark + scratch)}`;

async function markedRoles(admin: Connection, database: string): Promise<string[]> {
  const found = await rows<{ name: string }>(
    admin,
    "SELECT rolname AS name FROM pg_roles WHERE starts_with(shobj_description(oid, 'pg_authid'), $1) AND NOT rolcanlogin",
    [mark + scratchPrefix(database)],
  );
  return found.map(({ name }) => name);
}

/** The statements that make them permanent. */
export async function keepMadeRoles(admin: Connection, database: string): Promise<string[]> {
  return (await markedRoles(admin, database)).map((role) => `COMMENT ON ROLE ${quoteName(role)} IS NULL`);
}

/** One that somebody uses meanwhile stays. */
export async function dropMadeRoles(ctx: DatabaseContext, admin: Connection, database: string): Promise<void> {
  for (const role of await markedRoles(admin, database)) {
    await change(ctx, admin, `drop the role ${role}`, `DROP ROLE IF EXISTS ${quoteName(role)}`).catch((error) => {
      if (sqlState(error) !== "2BP01") throw error;
    });
  }
}
