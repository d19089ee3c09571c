import type { RunContext } from "../../shared/app.ts";
import { Failure } from "../../shared/failures.ts";
import type { MissingUploads } from "./sqlite/protocol.ts";

/**
 * Looks at what the database refers to and the folder of uploads does not have.
 * @throws {Failure} `source_empty` when it has none of them.
 */
export function refuseLostUploads(ctx: RunContext, found: MissingUploads | undefined, folder: string): void {
  if (!found || found.missing === 0) return;
  if (found.missing < found.referred) {
    ctx.warn(lostText(found, folder));
    return;
  }
  throw new Failure(
    "source_empty",
    `Cannot back up the uploads in "${folder}": ${found.referred} files that the database refers to are wanted, none is there`,
    { hint: `The backups are left as they are. To get them back: make restore-${ctx.app.name}` },
  );
}

export function lostText({ missing, names }: MissingUploads, folder: string): string {
  const [files, are] = missing === 1 ? ["file", "is"] : ["files", "are"];
  const more = missing > names.length ? ", …" : "";
  return `${missing} ${files} that the database refers to ${are} not in "${folder}": ${names.join(", ")}${more}`;
}
