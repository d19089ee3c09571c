import { existsSync } from "node:fs";
import { join } from "node:path";
import type { DatabaseSync } from "node:sqlite";
import type { MissingUploads } from "./protocol.ts";

const shown = 10;

/**
 * Which files the rows of `file` refer to and `folder`, as the app's uploads/, does not have. Rows whose files lie in a
 * bucket (s3://…) are no business of this folder.
 */
export function missingUploads(db: DatabaseSync, folder: string): MissingUploads {
  const result = { referred: 0, missing: 0, names: [] as string[] };
  for (const { id, filename, path } of db.prepare("SELECT id, filename, path FROM file").iterate()) {
    const name = uploadPath(path === null ? `${id}_${filename}` : String(path));
    if (name === undefined) continue;
    result.referred += 1;
    // A path that leads out of the folder is asked nothing about.
    if (!name.split("/").includes("..") && existsSync(join(folder, name))) continue;
    result.missing += 1;
    if (result.names.length < shown) result.names.push(name.slice(0, 300));
  }
  return result;
}

/**
 * The path below uploads/ of what stands in a row: "/app/backend/data/uploads/<id>_<name>", seen from inside the app.
 * @returns undefined when it is in a bucket.
 */
function uploadPath(path: string): string | undefined {
  if (/^[a-z][a-z0-9+.-]*:\/\//i.test(path)) return undefined;
  const at = path.lastIndexOf("/uploads/");
  return at === -1 ? path.slice(path.lastIndexOf("/") + 1) : path.slice(at + "/uploads/".length);
}
