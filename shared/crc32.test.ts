import { crc32 } from "node:zlib";
import fc from "fast-check";
import { expect, test } from "vitest";
import { crc32Text, joinCrc32 } from "./crc32.ts";

test("joinCrc32() gives the CRC-32 of both pieces in a row, whatever is in them", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 3000 }), fc.uint8Array({ maxLength: 3000 }), (first, second) => {
      const joined = joinCrc32(crc32(first), crc32(second), second.length);
      expect(joined).toBe(crc32(Buffer.concat([first, second])));
    }),
  );
});

test("joinCrc32() bears pieces of more than 4 GB: zeros of 5 GiB behind some bytes, in two ways", () => {
  const [gib, bytes] = [2 ** 30, crc32("some bytes")];
  const twice = (sum: number, lengthBytes: number) => joinCrc32(sum, sum, lengthBytes);
  let zeros = crc32(Buffer.alloc(1 << 20));
  for (let lengthBytes = 1 << 20; lengthBytes < gib; lengthBytes *= 2) zeros = twice(zeros, lengthBytes);
  let byOnes = bytes;
  for (let count = 0; count < 5; count += 1) byOnes = joinCrc32(byOnes, zeros, gib);
  const five = joinCrc32(twice(twice(zeros, gib), 2 * gib), zeros, gib);
  expect(joinCrc32(bytes, five, 5 * gib)).toBe(byOnes);
});

test("crc32Text() has all digits", () => {
  expect([crc32Text(0), crc32Text(0xffffffff)]).toEqual(["00000000", "ffffffff"]);
});
