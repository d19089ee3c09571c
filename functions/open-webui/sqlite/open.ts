import { DatabaseSync } from "node:sqlite";
import { pathToFileURL } from "node:url";

/**
 * Opens a database that may be hostile: nothing that stands in its schema is trusted, no extension can be loaded, the
 * file cannot be changed by tricks. What is asked of it is never more than the rows of ordinary tables.
 * @param how "shared": others may use it, and are waited for. "frozen": nobody writes to it; no lock is taken, nothing
 *   is made beside it, a journal beside it is not looked at. "own": a private copy, to be written to.
 */
export function openDatabase(path: string, how: "shared" | "frozen" | "own", busyMs = 0): DatabaseSync {
  const url = pathToFileURL(path);
  url.searchParams.set("immutable", "1");
  const db = new DatabaseSync(how === "frozen" ? url : path, {
    readOnly: how !== "own",
    timeout: busyMs,
    allowExtension: false,
    defensive: true,
    enableForeignKeyConstraints: false,
    // As the app's own SQLite reads a schema.
    enableDoubleQuotedStringLiterals: true,
  });
  // Before the schema is read for the first time. Not mapped into memory: a read error would kill the process.
  db.exec("PRAGMA trusted_schema=OFF; PRAGMA cell_size_check=ON; PRAGMA mmap_size=0");
  return db;
}
