import type { RunContext } from "../../shared/app.ts";
import { Failure } from "../../shared/failures.ts";
import type { Snapshot } from "./snapshot.ts";
import type { MissingUploads } from "./sqlite/protocol.ts";
import { askSqlite } from "./sqlite-process.ts";

/**
 * Compares what the database refers to with the folder of uploads.
 * @throws {Failure} `source_empty` when it has none of them.
 */
export async function refuseLostUploads(ctx: RunContext, { path, sizeBytes }: Snapshot, folder: string): Promise<void> {
  const found = await askSqlite({ operation: "missing-uploads", path, folder }, { signal: ctx.signal, sizeBytes });
  if (found.referred > 0 && found.missing === found.referred) {
    throw new Failure(
      "source_empty",
      `Cannot back up the uploads in "${folder}": ${found.referred} files that the database refers to are wanted, none is there`,
      { hint: `The backups are left as they are. To get them back: make restore-${ctx.app.name}` },
    );
  }
  if (found.missing > 0) ctx.warn(lostText(found, folder));
}

export const lostText = ({ missing, names }: MissingUploads, folder: string) =>
  `${missing} ${missing === 1 ? "file" : "files"} that the database refers to ${missing === 1 ? "is" : "are"} not in "${folder}": ${names.join(", ")}${missing > names.length ? ", …" : ""}`;
