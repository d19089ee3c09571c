import fc from "fast-check";
import { expect, test } from "vitest";
import { PackedLines } from "./packed-lines.ts";

const packed = (lines: readonly string[]) => {
  const all = new PackedLines();
  for (const line of lines) all.add(line);
  return all;
};
const line = fc.string({ unit: "grapheme" }).map((text) => text.replaceAll("\0", ""));

test("PackedLines gives back what was added, in its order, also empty lines and more than it gathers", () => {
  fc.assert(fc.property(fc.array(line), (lines) => void expect([...packed(lines)]).toEqual(lines)));
  const many = Array.from({ length: 20_000 }, (_, index) => `Région/r.${index}.7rg`);
  expect([...packed(many)]).toEqual(many);
});

test("PackedLines.at() gives any line, in any order", () => {
  const many = Array.from({ length: 20_000 }, (_, index) => `r.${index}.7rg`);
  const all = packed(many);
  for (const index of [19_999, 0, 1, 12_345, 12_344, 700, 19_998]) expect(all.at(index)).toBe(many[index]);
  expect(all.at(20_000)).toBeUndefined();
  expect(packed([]).at(0)).toBeUndefined();
});

test("PackedLines.equals() is true of the same lines in the same order, and of nothing else", () => {
  fc.assert(fc.property(fc.array(line), (lines) => void expect(packed(lines).equals(packed(lines))).toBe(true)));
  const many = Array.from({ length: 20_000 }, (_, index) => `r.${index}.7rg`);
  expect(packed(many).equals(packed(many))).toBe(true);
  for (const other of [many.slice(1), [...many, ""], many.toReversed(), many.with(15_000, "r.0.7rg"), []]) {
    expect(packed(many).equals(packed(other))).toBe(false);
  }
});
