import { join } from "node:path";
import type { VerifyOptions } from "../../shared/app.ts";
import { Failure } from "../../shared/failures.ts";
import { requireSpace } from "../../shared/nas/nas.ts";
import type { ReadBack } from "../../shared/nas/read-back.ts";
import { headerBytes, requireWhole } from "./header.ts";
import type { DatabaseFacts } from "./sqlite/protocol.ts";
import { askSqlite, SqliteRefusal } from "./sqlite-process.ts";

/**
 * Proves a database of a restore point: SQLite wants a local file, so it is copied to this machine on the way.
 * @throws {Failure} `backup_damaged`, `no_space`.
 */
export async function proveDatabase(file: ReadBack, { signal, scratch, disk }: VerifyOptions): Promise<DatabaseFacts> {
  const { path, sizeBytes } = file;
  requireWhole(path, sizeBytes, await file.read(0, Math.min(headerBytes, sizeBytes)));
  const folder = join(await scratch(), "proving");
  const copy = join(folder, "webui.db");
  await disk.makeDir(folder);
  try {
    await requireSpace(folder, sizeBytes, "copy the database to this machine");
    // For a check, so it need not survive a power cut.
    await disk.write(copy, file.stream(), { mode: 0o600, sync: false, ...(signal && { signal }) });
    return await askSqlite({ operation: "prove", path: copy }, { signal, temporary: folder, sizeBytes });
  } catch (error) {
    throw damaged(path, error);
  } finally {
    await disk.removeTree(folder);
  }
}

/** What SQLite says against a file of a backup, or that it dies of it, means that the file is not one. */
export function damaged(path: string, error: unknown): unknown {
  if (error instanceof SqliteRefusal) {
    return new Failure("backup_damaged", `Cannot vouch for "${path}": ${error.message}`, { cause: error });
  }
  if (error instanceof Failure && error.code === "tool_failed") {
    return new Failure("backup_damaged", `Cannot vouch for "${path}": ${error.message}`, { cause: error });
  }
  return error;
}
