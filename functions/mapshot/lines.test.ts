import { expect, test } from "vitest";
import { lineSplitter } from "./lines.ts";

function split(pieces: string[], longest?: number): string[] {
  const lines: string[] = [];
  const splitter = lineSplitter((line) => lines.push(line), longest);
  for (const piece of pieces) splitter.write(piece);
  splitter.end();
  return lines;
}

test("lineSplitter() puts lines together however they come, and leaves out empty ones", () => {
  expect(split(["one\ntw", "o\r\n", "\n\nthree", "", " and a half"])).toEqual(["one", "two", "three and a half"]);
});

test("lineSplitter() keeps the beginning of a line that is too long, and finds the next one", () => {
  expect(split(["x".repeat(9), "y".repeat(9), "z\nnext\n"], 12)).toEqual(["xxxxxxxxxyyy", "next"]);
});
