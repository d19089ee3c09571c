import { parentPort } from "node:worker_threads";
import type { FileJob, FileJobEnd } from "./file-worker.ts";
import { readBackBytes, writeProven } from "./files-now.ts";

/* A thread that writes files and reads them back, one job after the other; started by `file-worker.ts`. */

const buffer = Buffer.allocUnsafeSlow(readBackBytes);

parentPort?.on("message", (job: FileJob) => parentPort?.postMessage(carryOut(job)));

function carryOut({ files, attributes }: FileJob): FileJobEnd {
  try {
    return { other: writeProven(files, attributes, buffer) };
  } catch (error) {
    // A copy of an error has no code.
    const { message, ...rest } = error as NodeJS.ErrnoException;
    return { failed: { ...rest, message } };
  }
}
