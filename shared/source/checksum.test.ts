import { createHash } from "node:crypto";
import fc from "fast-check";
import { expect, test } from "vitest";
import { type ContentEntry, Contents, contentChecksum } from "./checksum.ts";

const hash = fc.stringMatching(/^[0-9a-f]{64}$/);
const entry = fc.record<ContentEntry>({
  path: fc.string({ minLength: 1, unit: "binary" }),
  sizeBytes: fc.nat(),
  sha256: hash,
});
const entries = fc.uniqueArray(entry, { selector: ({ path }) => path, maxLength: 12 });
const zero = "0".repeat(64);

test("contentChecksum() is sha256 over one sorted line a file", () => {
  const lines = `["a",1,"${zero}"]\n["b/c",2,"${zero}"]\n`;
  const wanted = createHash("sha256").update(lines).digest("hex");
  const [a, b] = [
    { path: "a", sizeBytes: 1, sha256: zero },
    { path: "b/c", sizeBytes: 2, sha256: zero },
  ];
  expect([contentChecksum([b, a]), contentChecksum([a, b])]).toEqual([wanted, wanted]);
  expect(contentChecksum([])).toBe(createHash("sha256").digest("hex"));
});

test("contentChecksum() does not care in which order files were found, and leaves the list as it was", () => {
  const shuffled = entries.chain((list) =>
    fc.tuple(fc.constant(list), fc.shuffledSubarray(list, { minLength: list.length })),
  );
  fc.assert(
    fc.property(shuffled, ([list, other]) => {
      const before = [...other];
      expect(contentChecksum(other)).toBe(contentChecksum(list));
      expect(other).toEqual(before);
    }),
  );
});

test("Contents.checksum() is that of its entries", () => {
  fc.assert(
    fc.property(fc.array(entry), (list) => {
      const contents = new Contents();
      for (const one of list) contents.add(one);
      expect(contents.checksum()).toBe(contentChecksum(list));
    }),
  );
});

test("contentChecksum() notices a file more, a file less, another name, size or content", () => {
  fc.assert(
    fc.property(
      entries.filter((list) => list.length > 0),
      entry,
      (list, other) => {
        fc.pre(!list.some(({ path }) => path === other.path));
        const [head, ...rest] = list as [ContentEntry, ...ContentEntry[]];
        const changed = [
          [...list, other],
          rest,
          [{ ...head, path: other.path }, ...rest],
          [{ ...head, sizeBytes: head.sizeBytes + 1 }, ...rest],
          [{ ...head, sha256: head.sha256.replace(/^./, (digit) => (digit === "0" ? "1" : "0")) }, ...rest],
        ];
        for (const entries of changed) expect(contentChecksum(entries)).not.toBe(contentChecksum(list));
      },
    ),
  );
});

test("contentChecksum() is not fooled by a path that looks like the end of one line and the beginning of another", () => {
  const plain = [
    { path: "a", sizeBytes: 1, sha256: zero },
    { path: "b", sizeBytes: 1, sha256: zero },
  ];
  for (const join of ["\n", `",1,"${zero}"]\n["`, " 1 \n", "\0", "/"]) {
    expect(contentChecksum([{ path: `a${join}b`, sizeBytes: 1, sha256: zero }])).not.toBe(contentChecksum(plain));
  }
  fc.assert(
    fc.property(entries, entries, (a, b) => {
      const same = JSON.stringify(a.toSorted(byPath)) === JSON.stringify(b.toSorted(byPath));
      expect(contentChecksum(a) === contentChecksum(b)).toBe(same);
    }),
  );
});

const byPath = (a: ContentEntry, b: ContentEntry) => (a.path < b.path ? -1 : 1);
