import { expect, test } from "vitest";
import { StatHash } from "./stat-hash.ts";

const file = { size: 1, mtimeMs: 1_800_000_000_000.25, ctimeMs: 1_800_000_000_001.5, ino: 7 };
const many = Array.from({ length: 1300 }, (_, index) => ({ name: `file ${index}`, ...file, ino: index }));

function hashOf(files: readonly (typeof file & { name: string })[]): string {
  const hash = new StatHash();
  for (const { name, ...stat } of files) hash.add(name, stat);
  return hash.hex();
}

test("StatHash is the same for the same files, however many there are", () => {
  expect(hashOf(many)).toBe(hashOf(structuredClone(many)));
  expect(hashOf(many)).toMatch(/^[0-9a-f]{64}$/);
});

test("StatHash notices each number, each name, the order, a file more and a file less", () => {
  const others = (["size", "mtimeMs", "ctimeMs", "ino"] as const).map((key) =>
    many.with(600, { ...many[600], [key]: file[key] + 0.5 } as (typeof many)[number]),
  );
  const lists = [
    many,
    ...others,
    many.with(600, { ...many[600], name: "" } as (typeof many)[number]),
    many.with(0, many[1] as (typeof many)[number]),
    many.toReversed(),
    [...many, { name: "", ...file }],
    many.slice(1),
    many.slice(0, 512),
    many.slice(0, 511),
    [],
  ];
  expect(new Set(lists.map(hashOf)).size).toBe(lists.length);
});
