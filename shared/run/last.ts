import { join } from "node:path";
import type { Disk } from "../disk.ts";
import { Failure } from "../failures.ts";
import { readFile } from "../files.ts";
import { parseJson } from "../json.ts";
import type { AppFolders } from "../nas/nas.ts";
import { Outcome } from "./report.ts";

/** Runs beside the main ones: their last outcome lies in a file of its own, since `state.json` belongs to the main lock. */
type SideLane = "scrub" | "drill";

const lastPath = (folders: AppFolders, lane: SideLane) => join(folders[lane], "last.json");

/** @throws {Failure} `nas_unreachable`. */
export async function readLast(folders: AppFolders, lane: SideLane): Promise<Outcome | undefined> {
  return Outcome.safeParse(await readSmallJson(lastPath(folders, lane))).data;
}

export const writeLast = (folders: AppFolders, lane: SideLane, outcome: Outcome, disk: Disk): Promise<void> =>
  disk.replace(lastPath(folders, lane), `${JSON.stringify(outcome, null, 2)}\n`, { durable: false });

/** @returns undefined when there is none, or it is damaged. @throws {Failure} `nas_unreachable`. */
export async function readSmallJson(path: string): Promise<unknown> {
  const text = await readFile(path, "utf8").catch((cause: NodeJS.ErrnoException) => {
    if (cause.code === "ENOENT") return "";
    throw new Failure("nas_unreachable", `Cannot read "${path}": ${cause.message}`, { cause });
  });
  return parseJson(text);
}
