import type { RunContext } from "../../shared/app.ts";
import { type Connection, maintenanceDatabase, withConnection } from "./connect.ts";
import { sessionName } from "./names.ts";
import type { Settings } from "./settings.ts";

export type DatabaseContext = RunContext<Settings>;

/**
 * A superuser's session that may change something; `recover` finds it by its name when this process is gone.
 * @param options.evenCancelled For putting things in order after the run was cancelled.
 */
export function withAdmin<T>(
  ctx: DatabaseContext,
  use: (admin: Connection) => Promise<T>,
  options: { database?: string; evenCancelled?: boolean } = {},
): Promise<T> {
  const { settings, signal } = ctx;
  const database = options.database ?? maintenanceDatabase(settings);
  const name = sessionName(settings.database);
  return withConnection(settings, { database, name, ...(!options.evenCancelled && { signal }) }, use);
}

/** One statement that changes something, or several that make one transaction. */
export async function change(
  ctx: DatabaseContext,
  admin: Connection,
  what: string,
  sql: string | string[],
): Promise<void> {
  await ctx.step(what, async () => {
    if (typeof sql === "string") return void (await admin.query(sql));
    // One message: the server does all of it or nothing, whatever becomes of this process meanwhile.
    await admin.query(["BEGIN", ...sql, "COMMIT"].join(";\n")).catch(async (error) => {
      await admin.query("ROLLBACK").catch(() => {});
      throw error;
    });
  });
}
