import { createHash } from "node:crypto";
import { parentPort } from "node:worker_threads";
import type { FileJob, FileJobEnd } from "./file-worker.ts";
import { crc32Now, proofReader, readBackBytes, readNow, writeManyNow, writeProven } from "./files-now.ts";

/* A thread that writes files, reads them back, hashes and sums, one job after the other; started by `file-worker.ts`. */

const buffer = Buffer.allocUnsafeSlow(readBackBytes);
let hash = createHash("sha256");

parentPort?.on("message", (job: FileJob) => parentPort?.postMessage(carryOut(job)));

function carryOut(job: FileJob): FileJobEnd {
  try {
    return doneOf(job);
  } catch (error) {
    // A copy of an error has no code.
    const { message, ...rest } = error as NodeJS.ErrnoException;
    return { failed: { ...rest, message } };
  }
}

function doneOf(job: FileJob): FileJobEnd {
  switch (job.do) {
    case "write":
      return { other: writeProven(job.files, job.attributes, buffer) };
    case "writeOnly":
      writeManyNow(job.files, job.attributes);
      return {};
    case "prove":
      return { proven: job.paths.map((path) => readNow(path, buffer, proofReader())) };
    case "hash":
      if (job.begins) hash = createHash("sha256");
      hash.update(job.bytes);
      return {};
    case "digest":
      return { sha256: hash.digest("hex") };
    case "crc32":
      return { crc32: crc32Now(job, buffer) };
  }
}
