import { setTimeout as delay } from "node:timers/promises";
import { Failure } from "../../shared/failures.ts";
import { type Connection, rows } from "./connect.ts";

const waitMs = 10_000;

/**
 * Ends sessions and waits until they are gone.
 * @param where On pg_stat_activity, with values for $1…
 * @throws {Failure} `restore_failed` when one does not go.
 */
export async function endSessions(connection: Connection, where: string, values: unknown[]): Promise<void> {
  const deadline = Date.now() + waitMs;
  for (;;) {
    const left = await rows<{ pid: number; user: string }>(
      connection,
      `SELECT pid, usename AS user, pg_terminate_backend(pid) FROM pg_stat_activity
        WHERE backend_type = 'client backend' AND pid <> pg_backend_pid() AND ${where}`,
      values,
    );
    if (left.length === 0) return;
    if (Date.now() > deadline) {
      const who = left.map(({ pid, user }) => `${user} (${pid})`).join(", ");
      throw new Failure("restore_failed", `Cannot end the sessions of ${who}: they are still there after 10 s`);
    }
    await delay(50);
  }
}
