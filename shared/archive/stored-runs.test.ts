import { randomBytes } from "node:crypto";
import { constants, inflateRawSync } from "node:zlib";
import fc from "fast-check";
import { expect, test } from "vitest";
import { emptyFinalBlock } from "./gzip-format.ts";
import { storedBound, storeWithRuns } from "./stored-runs.ts";

function store(bytes: Buffer): Buffer {
  const target = Buffer.alloc(storedBound(bytes.length), 0xff);
  return target.subarray(0, storeWithRuns(bytes, target));
}
const inflate = (deflated: Buffer) =>
  inflateRawSync(Buffer.concat([deflated, emptyFinalBlock]), { finishFlush: constants.Z_FINISH });

test("storeWithRuns() gives deflated data for runs of every length", () => {
  for (let length = 0; length < 1200; length += 1) {
    const bytes = Buffer.concat([Buffer.from("a"), Buffer.alloc(length), Buffer.from("b")]);
    expect(inflate(store(bytes)).equals(bytes)).toBe(true);
  }
});

test("storeWithRuns() gives deflated data of the same bytes, never longer than its bound", () => {
  const piece = fc.oneof(
    fc.uint8Array({ maxLength: 300 }).map((bytes) => Buffer.from(bytes)),
    fc.nat(3000).map((length) => Buffer.alloc(length)),
    fc.integer({ min: 65_000, max: 140_000 }).map((length) => Buffer.alloc(length, 7)),
  );
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 12 }), (pieces) => {
      const bytes = Buffer.concat(pieces);
      const deflated = store(bytes);
      expect(inflate(deflated).equals(bytes)).toBe(true);
      expect(deflated.length).toBeLessThanOrEqual(storedBound(bytes.length));
    }),
    { numRuns: 200 },
  );
});

test("storeWithRuns() makes sectors of random bytes as much smaller as they hold zeros", () => {
  const sectors = Array.from({ length: 50 }, () => Buffer.concat([randomBytes(3000), Buffer.alloc(1096)]));
  expect(store(Buffer.concat(sectors)).length).toBeLessThan(50 * 3040);
});
