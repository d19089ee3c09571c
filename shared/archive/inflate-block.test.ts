import { deflateRawSync } from "node:zlib";
import { expect, test } from "vitest";
import { deflateBlock, scratchBytes } from "./deflate-block.ts";
import { inflateBlock, proveBlock, withFinalBlock } from "./inflate-block.ts";

const block = Buffer.from("1\tthe first note\n2\tthe second note\n".repeat(8));
const deflated = async () => Buffer.from(await deflateBlock(block, 3, Buffer.alloc(scratchBytes(block.length))));
const prove = (slice: Buffer, wanted = block) => proveBlock(slice, wanted, Buffer.alloc(withFinalBlock(slice.length)));

test("inflateBlock() gives back a block, and says what of the slice was not wanted", async () => {
  const slice = await deflated();
  const scratch = Buffer.alloc(withFinalBlock(slice.length + 9));
  expect(await inflateBlock(slice, scratch)).toMatchObject({ leftBytes: 0, result: block });
  const more = Buffer.concat([slice, deflateRawSync("")]);
  expect(await inflateBlock(more, scratch)).toMatchObject({ leftBytes: 2, result: block });
});

test("proveBlock() accepts what inflates to the block, whoever deflated it", async () => {
  await prove(await deflated());
  await prove(Buffer.alloc(0), Buffer.alloc(0));
});

test("proveBlock() accepts no slice with a flipped bit, unless it inflates to the same block", async () => {
  const slice = await deflated();
  for (let bit = 0; bit < slice.length * 8; bit += 1) {
    const flipped = Buffer.from(slice);
    flipped[bit >> 3] = (flipped[bit >> 3] as number) ^ (1 << (bit & 7));
    const isSame = await inflateBlock(flipped, Buffer.alloc(withFinalBlock(slice.length))).then(
      ({ result, leftBytes }) => leftBytes === 0 && result.equals(block),
      () => false,
    );
    if (isSame) await prove(flipped);
    else await expect(prove(flipped)).rejects.toMatchObject({ code: "internal" });
  }
});

test("proveBlock() accepts no slice that is cut, continued, or another block's", async () => {
  const slice = await deflated();
  for (const wrong of [slice.subarray(0, -6), Buffer.concat([slice, slice]), Buffer.concat([slice, Buffer.of(3, 0)])]) {
    await expect(prove(wrong)).rejects.toMatchObject({
      code: "internal",
      message: expect.stringMatching(/Cannot pack/),
    });
  }
  await expect(prove(slice, Buffer.from("another"))).rejects.toMatchObject({ code: "internal" });
});
