import { Failure } from "../failures.ts";

/** Reads of the NAS that may be under way at once. A hung one holds one of libuv's four threads for ever. */
const slots = 3;
let taken = 0;

/**
 * Runs a read of the NAS against a deadline. A hung NFS mount blocks the thread that reads it and nothing can end
 * that; so the caller is answered in time, and no more reads are begun while too many hang.
 * @throws {Failure} `nas_unreachable` after `ms`, or at once when earlier reads still hang.
 */
export async function withDeadline<T>(what: string, ms: number, read: () => Promise<T>): Promise<T> {
  if (taken >= slots) throw away(what, "earlier reads still hang");
  taken += 1;
  const reading = read().finally(() => {
    taken -= 1;
  });
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(away(what, `no answer within ${ms / 1000} s`)), ms);
  });
  try {
    return await Promise.race([reading, late]);
  } finally {
    clearTimeout(timer);
    reading.catch(() => {});
  }
}

function away(what: string, why: string): Failure {
  return new Failure("nas_unreachable", `Cannot read the NAS (${what}): ${why}`, {
    hint: "See whether the NAS is up and its export mounted; runs go on by themselves once it answers.",
  });
}
