import { resolve } from "node:path";
import fc from "fast-check";
import { expect, test } from "vitest";
import { checkNames } from "./zip-names.ts";

const part = fc.oneof(
  fc.constantFrom("..", ".", "", "a", "A", "C:", "\\", "..\\", "é", "a\0"),
  fc.string({ maxLength: 6 }),
);
const name = fc.array(part, { minLength: 1, maxLength: 5 }).map((parts) => parts.join("/"));

test("checkNames() lets no name pass that leaves the folder", () => {
  fc.assert(
    fc.property(name, (entry) => {
      try {
        checkNames("x.zip", [entry]);
      } catch {
        return;
      }
      expect(resolve("/nas/into", entry)).toMatch(/^\/nas\/into\/./s);
    }),
    { numRuns: 500 },
  );
});

test("checkNames() accepts what the game writes", () => {
  checkNames("x.zip", [
    "homelab/",
    "homelab/level.dat0",
    "homelab/level.dat1",
    "homelab/locale/en/freeplay.cfg",
    "homelab/locale/de/freeplay.cfg",
  ]);
});

test("checkNames() names the archive and the entry", () => {
  expect(() => checkNames("/nas/x.zip", ["a/../b"])).toThrow('"/nas/x.zip": its entry "a/../b"');
});
