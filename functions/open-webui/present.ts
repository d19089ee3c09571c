import { dirname, join } from "node:path";
import type { Settings } from "./app.ts";
import { readDatabaseFile } from "./database-file.ts";
import { networkOf } from "./network.ts";
import type { DatabaseFacts } from "./sqlite/protocol.ts";
import { askSqlite } from "./sqlite-process.ts";

const patienceMs = 3000;

/**
 * What the present database holds, while the app may be using it.
 * @returns undefined when that cannot be read, or not without harm.
 */
export async function lookAtPresent(settings: Settings, signal: AbortSignal): Promise<DatabaseFacts | undefined> {
  try {
    const file = await readDatabaseFile(join(settings.data, settings.database));
    const { network, locks } = await networkOf(dirname(file.path), settings.network);
    // A reader of a WAL that nobody has open would leave files of its own beside it.
    if ((file.wal && (network || !file.beside.has("-shm"))) || !locks) return undefined;
    return await askSqlite(
      { operation: "look", path: file.path, busyMs: patienceMs },
      { signal, sizeBytes: file.sizeBytes },
    );
  } catch {
    signal.throwIfAborted();
    return undefined;
  }
}
