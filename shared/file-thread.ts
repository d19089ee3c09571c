import { parentPort } from "node:worker_threads";
import type { FileJob, FileJobEnd } from "./file-worker.ts";
import { isOther, type SmallFile, writeNow } from "./files-now.ts";

/* A thread that writes small files and reads them back, one job after the other; started by `file-worker.ts`. */

const buffer = Buffer.allocUnsafeSlow(1 << 18);

parentPort?.on("message", (job: FileJob) => parentPort?.postMessage(carryOut(job)));

function carryOut({ work, files, attributes }: FileJob): FileJobEnd {
  try {
    if (work === "write") for (const file of files) writeNow(file, attributes);
    return { other: work === "prove" ? firstOther(files) : undefined };
  } catch (error) {
    // A copy of an error has no code.
    const { message, ...rest } = error as NodeJS.ErrnoException;
    return { failed: { ...rest, message } };
  }
}

const firstOther = (files: readonly SmallFile[]) => files.find((file) => isOther(file, buffer))?.path;
