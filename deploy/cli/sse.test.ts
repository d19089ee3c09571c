import fc from "fast-check";
import { expect, test } from "vitest";
import { parseEvents } from "./sse.ts";

async function* chunksOf(bytes: Uint8Array, sizes: readonly number[]): AsyncGenerator<Uint8Array> {
  let from = 0;
  for (const size of sizes) {
    yield bytes.subarray(from, from + size);
    from += size;
  }
  yield bytes.subarray(from);
}

const parse = (text: string, sizes: readonly number[] = []) =>
  Array.fromAsync(parseEvents(chunksOf(new TextEncoder().encode(text), sizes)));

test("parseEvents() reads names, data of several lines and ids, and passes over comments", async () => {
  const text = ': alive\n\nid: 0-1\nevent: progress\ndata: {"a":\ndata: 1}\n\ndata:x\n\nid\nretry: 5\ndata\n\n';
  expect(await parse(text)).toEqual([
    { event: "progress", data: '{"a":\n1}', id: "0-1" },
    { event: "message", data: "x", id: "0-1" },
    { event: "message", data: "", id: "" },
  ]);
});

test("parseEvents() drops an event that the end of the stream cut off", async () => {
  expect(await parse("data: whole\n\nevent: end\ndata: half")).toEqual([{ event: "message", data: "whole", id: "" }]);
  expect(await parse("data: no blank line\n")).toEqual([]);
});

test("parseEvents() gives the same events however the network cuts the stream", async () => {
  const text = "id: 1\r\nevent: progress\r\ndata: Müller 🏭\r\n\r\ndata: a\rdata: b\r\rdata: c\n\n";
  const whole = await parse(text);
  expect(whole.map(({ data }) => data)).toEqual(["Müller 🏭", "a\nb", "c"]);
  await fc.assert(
    fc.asyncProperty(fc.array(fc.integer({ min: 0, max: 7 }), { maxLength: 80 }), async (sizes) => {
      expect(await parse(text, sizes)).toEqual(whole);
    }),
    { numRuns: 200 },
  );
});
