import fc from "fast-check";
import { expect, test } from "vitest";
import { encodePacket, readPackets } from "./rcon-packets.ts";

const packet = fc.record({
  id: fc.integer({ min: -1, max: 2 ** 31 - 1 }),
  type: fc.constantFrom(0, 2, 3),
  body: fc.string({ unit: "grapheme", maxLength: 40 }).filter((body) => !body.includes("\0")),
});

test("readPackets() gives back what encodePacket() wrote, however it was cut", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(packet, { maxLength: 8 }),
      fc.array(fc.integer({ min: 1, max: 30 }), { minLength: 1 }),
      async (packets, cuts) => {
        const bytes = Buffer.concat(packets.map(encodePacket));
        async function* pieces() {
          for (let at = 0, n = 0; at < bytes.length; n++) {
            const end = at + (cuts[n % cuts.length] as number);
            yield bytes.subarray(at, end);
            at = end;
          }
        }
        expect(await Array.fromAsync(readPackets(pieces()))).toEqual(packets);
      },
    ),
  );
});

test("encodePacket() writes the bytes of the protocol's description", () => {
  expect(encodePacket({ id: 1, type: 3, body: "pw" }).toString("hex")).toBe(
    "0c000000" + "01000000" + "03000000" + "7077" + "0000",
  );
});
