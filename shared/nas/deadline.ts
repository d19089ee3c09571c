import { Failure } from "../failures.ts";

/** Reads of the NAS that may be under way at once. A hung one holds one of libuv's four threads for ever. */
const slots = 3;
let taken = 0;
/** Those of them whose caller was told that they take too long. */
let hanging = 0;
const waiting: (() => void)[] = [];

/**
 * Runs a read of the NAS against a deadline. A hung NFS mount blocks the thread that reads it and nothing can end
 * that; so the caller is answered in time, and no more reads are begun while too many hang. While there are just many,
 * a read waits for its turn, within the same deadline.
 * @throws {Failure} `nas_unreachable` after `ms`, or at once when earlier reads still hang.
 */
export async function withDeadline<T>(what: string, ms: number, read: () => Promise<T>): Promise<T> {
  if (hanging >= slots) throw away(what, "earlier reads still hang");
  return new Promise<T>((resolve, reject) => {
    let begun = false;
    let late = false;
    const timer = setTimeout(() => {
      late = true;
      if (begun) hanging += 1;
      reject(away(what, `no answer within ${ms / 1000} s`));
    }, ms);
    const begin = () => {
      if (late) return;
      begun = true;
      taken += 1;
      read()
        .finally(() => {
          clearTimeout(timer);
          taken -= 1;
          if (late) hanging -= 1;
          while (taken < slots && waiting.length > 0) waiting.shift()?.();
        })
        .then(resolve, reject);
    };
    if (taken < slots) begin();
    else waiting.push(begin);
  });
}

function away(what: string, why: string): Failure {
  return new Failure("nas_unreachable", `Cannot read the NAS (${what}): ${why}`, {
    hint: "See whether the NAS is up and its export mounted; runs go on by themselves once it answers.",
  });
}
