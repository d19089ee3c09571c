import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { pipeline } from "node:stream/promises";

/**
 * Everything that a database holds, one line a table: how many rows, and sha256 over all of them in the order of their
 * content. Equal maps mean that every row is the same.
 */
export function databaseRows(path: string): Map<string, string> {
  const db = new DatabaseSync(path, { readOnly: true, timeout: 10_000, returnArrays: true });
  try {
    const content = new Map<string, string>();
    const tables = db.prepare(
      "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%' ORDER BY name",
    );
    for (const [name] of tables.all() as unknown as [string][]) {
      const rows = (db.prepare(`SELECT * FROM "${name}"`).all() as unknown[]).map((row) => JSON.stringify(row)).sort();
      const hash = createHash("sha256").update(rows.join("\n")).digest("hex");
      content.set(`rows ${name}`, `${rows.length} rows, sha256 ${hash}`);
    }
    return content;
  } finally {
    db.close();
  }
}

/** The files of a folder, one line each; none when it is not there. */
export async function folderFiles(folder: string): Promise<Map<string, string>> {
  const content = new Map<string, string>();
  for (const name of (await readdir(folder).catch(() => [])).sort()) {
    const hash = createHash("sha256");
    await pipeline(createReadStream(join(folder, name)), hash);
    content.set(`upload ${name}`, `sha256 ${hash.digest("hex")}`);
  }
  return content;
}
