import { randomBytes } from "node:crypto";
import { constants, deflateRawSync, inflateRawSync } from "node:zlib";
import fc from "fast-check";
import { expect, test } from "vitest";
import { emptyFinalBlock } from "./gzip-format.ts";
import { storedBound, storeWithRuns } from "./stored-runs.ts";
import { unstore } from "./unstore.ts";

function store(bytes: Buffer): Buffer {
  const target = Buffer.alloc(storedBound(bytes.length));
  return target.subarray(0, storeWithRuns(bytes, target));
}

function unstored(deflated: Buffer, targetBytes = 1 << 20): Buffer | undefined {
  const target = Buffer.alloc(targetBytes, 0xff);
  const filled = unstore(deflated, target);
  return filled === undefined ? undefined : target.subarray(0, filled);
}

const piece = fc.oneof(
  fc.uint8Array({ maxLength: 300 }).map((bytes) => Buffer.from(bytes)),
  fc.nat(3000).map((length) => Buffer.alloc(length)),
  fc.integer({ min: 65_000, max: 140_000 }).map((length) => Buffer.alloc(length, 7)),
);

test("unstore() gives back what was stored, with runs of every length", () => {
  for (let length = 0; length < 1200; length += 1) {
    const bytes = Buffer.concat([Buffer.from("a"), Buffer.alloc(length), Buffer.from("b")]);
    expect(unstored(store(bytes))).toEqual(bytes);
  }
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 6 }), (pieces) => {
      const bytes = Buffer.concat(pieces);
      expect(unstored(store(bytes))?.equals(bytes)).toBe(true);
    }),
    { numRuns: 100 },
  );
});

test("unstore() leaves to zlib what does not fit, and what other programs deflate", () => {
  const bytes = Buffer.concat([randomBytes(1000), Buffer.alloc(500)]);
  expect(unstored(store(bytes), 1500)).toEqual(bytes);
  expect(unstored(store(bytes), 1499)).toBeUndefined();
  expect(unstored(store(bytes), 999)).toBeUndefined();
  const text = Buffer.from("a text, and a text again, and a text".repeat(20));
  for (const strategy of [constants.Z_FIXED, constants.Z_DEFAULT_STRATEGY, constants.Z_RLE]) {
    expect(unstored(deflateRawSync(text, { strategy, finishFlush: constants.Z_SYNC_FLUSH }))).toBeUndefined();
  }
});

test("unstore() never gives other bytes than zlib, whatever is damaged or cut", () => {
  const deflated = store(Buffer.concat([randomBytes(40), Buffer.alloc(700), randomBytes(9), Buffer.alloc(70)]));
  const same = (is: Buffer) => {
    const found = unstored(is);
    if (found) expect(inflateRawSync(Buffer.concat([is, emptyFinalBlock]))).toEqual(found);
  };
  for (let at = 0; at < deflated.length; at += 1) {
    same(deflated.subarray(0, at));
    for (let bit = 0; bit < 8; bit += 1) {
      const damaged = Buffer.from(deflated);
      damaged[at] = (damaged[at] as number) ^ (1 << bit);
      same(damaged);
    }
  }
});
