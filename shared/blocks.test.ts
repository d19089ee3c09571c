import { expect, test } from "vitest";
import { Blocks } from "./blocks.ts";

test("Blocks gives a block again only once all who hold it have let go of it", () => {
  const blocks = new Blocks();
  const block = blocks.take();
  const part = block.subarray(10, 20);
  blocks.hold(part);
  blocks.release(block);
  expect(blocks.has(part)).toBe(true);
  expect(blocks.take().buffer).not.toBe(block.buffer);
  blocks.release(part);
  expect(blocks.has(part)).toBe(false);
  expect(blocks.take().buffer).toBe(block.buffer);
});

test("Blocks knows its own blocks only, and none that nobody holds", () => {
  const blocks = new Blocks();
  const block = blocks.take();
  blocks.release(block);
  for (const other of [block, Buffer.alloc(5), new Blocks().take()]) {
    expect(blocks.has(other)).toBe(false);
    expect(() => blocks.hold(other)).toThrow("one that somebody holds is wanted");
    expect(() => blocks.release(other)).toThrow("one that somebody holds is wanted");
  }
});

test("Blocks are seen by other threads when they shall be", () => {
  expect(new Blocks().take().buffer).toBeInstanceOf(ArrayBuffer);
  expect(new Blocks({ shared: true }).take().buffer).toBeInstanceOf(SharedArrayBuffer);
});
