import { Failure } from "../../shared/failures.ts";
import type { ReadBack } from "../../shared/nas/read-back.ts";

/** The one file of a restore point. */
export function dumpIn(files: ReadonlyMap<string, ReadBack>): ReadBack {
  const file = files.get("dump");
  if (!file) throw new Failure("backup_damaged", "Cannot find the dump of this restore point");
  return file;
}
