import { createHash } from "node:crypto";
import { parentPort } from "node:worker_threads";
import type { FileJob, FileJobEnd } from "./file-worker.ts";
import { crc32Now, readBackBytes, writeProven } from "./files-now.ts";

/* A thread that writes files, reads them back, hashes and sums, one job after the other; started by `file-worker.ts`. */

const buffer = Buffer.allocUnsafeSlow(readBackBytes);
let hash = createHash("sha256");

parentPort?.on("message", (job: FileJob) => parentPort?.postMessage(carryOut(job)));

function carryOut(job: FileJob): FileJobEnd {
  try {
    if (job.do === "write") return { other: writeProven(job.files, job.attributes, buffer) };
    if (job.do === "crc32") return { crc32: crc32Now(job, buffer) };
    if (job.do === "digest") return { sha256: hash.digest("hex") };
    if (job.begins) hash = createHash("sha256");
    hash.update(job.bytes);
    return {};
  } catch (error) {
    // A copy of an error has no code.
    const { message, ...rest } = error as NodeJS.ErrnoException;
    return { failed: { ...rest, message } };
  }
}
