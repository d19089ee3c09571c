import fc from "fast-check";
import { expect, test } from "vitest";
import { historyNaming, parsePointId, pointIdOf } from "./naming.ts";

/** The incumbent's four. */
const namings = {
  sdtd: historyNaming({ prefix: "7dtd-", suffix: ".tar.gz", join: "-", labelled: true }),
  factorio: historyNaming({ prefix: "factorio-", suffix: ".zip", join: "-" }),
  postgresql: historyNaming({ prefix: "postgresql_", suffix: ".sql.gz", join: "_" }),
  webui: historyNaming({ prefix: "webui_", suffix: ".db", join: "_" }),
};
const all = Object.values(namings);

const second = fc.integer({ min: 0, max: Date.UTC(9999, 11, 31, 23, 59, 59) / 1000 }).map((seconds) => seconds * 1000);
const label = fc.string({ minLength: 1, unit: "grapheme" }).filter((text) => !/^\.|[/\\\0-\x1f]/.test(text));

test("parsePointId() gives back the moment that pointIdOf() was given, to the second", () => {
  expect(pointIdOf(Date.UTC(2025, 11, 19, 18, 0, 0, 999))).toBe("20251219-180000");
  fc.assert(fc.property(second, (ms) => parsePointId(pointIdOf(ms)) === ms));
});

test("pointIdOf() sorts as text as the moments do", () => {
  fc.assert(fc.property(second, second, (a, b) => Math.sign(a - b) === compare(pointIdOf(a), pointIdOf(b))));
});

const compare = (a: string, b: string) => (a < b ? -1 : a > b ? 1 : 0);

test("parsePointId() refuses moments that there are not, and what is no id", () => {
  for (const id of [
    "20250230-180000", "20251301-180000", "20250000-180000", "20251219-240000", "20251219-186000", "20251219-180060",
    "20251219_180000", "20251219-1800", "20251219-180000 ", "٢٠٢٥١٢١٩-180000", "", "latest",
  ]) expect(parsePointId(id), id).toBeUndefined(); // biome-ignore format: a table
});

test("historyNaming() writes the incumbent's names to the letter", () => {
  expect(namings.sdtd.name("20251219-180000", "Navezgane")).toBe("7dtd-Navezgane-20251219-180000.tar.gz");
  expect(namings.factorio.name("20251219-180000")).toBe("factorio-20251219-180000.zip");
  expect(namings.postgresql.name("20251219-030000")).toBe("postgresql_20251219_030000.sql.gz");
  expect(namings.webui.name("20251219-040000")).toBe("webui_20251219_040000.db");
});

test("historyNaming() reads every name that it writes, and gives back what it was made of", () => {
  fc.assert(
    fc.property(second, label, (ms, world) => {
      const id = pointIdOf(ms);
      expect(namings.sdtd.parse(namings.sdtd.name(id, world))).toEqual({ id, takenAtMs: ms, label: world });
      for (const naming of all.slice(1)) expect(naming.parse(naming.name(id))).toEqual({ id, takenAtMs: ms });
    }),
  );
});

test("historyNaming() reads a world whose name looks like a restore point", () => {
  const name = namings.sdtd.name("20251219-180000", "a-20200101-000000");
  expect(namings.sdtd.parse(name)).toMatchObject({ id: "20251219-180000", label: "a-20200101-000000" });
});

/** Names near to the real ones: one character changed, put in, left out, or the case turned. */
const nearMiss = fc
  .tuple(
    second,
    fc.constantFrom(...all),
    fc.nat(60),
    fc.string({ maxLength: 2, unit: "binary-ascii" }),
    fc.nat(2),
    fc.boolean(),
  )
  .map(([ms, naming, at, text, cut, upper]) => {
    const name = naming.name(pointIdOf(ms), naming === namings.sdtd ? "World" : undefined);
    const changed = name.slice(0, at) + text + name.slice(at + cut);
    return upper ? changed.toUpperCase() : changed;
  });

test("historyNaming() never reads a name that it would not write", () => {
  fc.assert(
    fc.property(fc.oneof(nearMiss, fc.string(), fc.string({ unit: "binary" })), (name) => {
      for (const naming of all) {
        const parsed = naming.parse(name);
        if (parsed) expect(naming.name(parsed.id, parsed.label)).toBe(name);
      }
    }),
    { numRuns: 300 },
  );
});

test("historyNaming() does not see .DS_Store, ._ files, the installer and other people's files", () => {
  for (const name of [
    ".DS_Store", "._factorio-20251219-180000.zip", ".factorio-20251219-180000.zip", "factorio-headless_linux_2.0.72.tar.xz",
    "factorio-20251219-180000.zip.tmp", "factorio-20251219-180000.tmp.zip", "factorio-20251219-180000 (1).zip",
    "Factorio-20251219-180000.zip", "factorio-20251219-180000.zip\n", "factorio-my-20251219-180000.zip", "latest.zip",
    "7dtd-20251219-180000.tar.gz", "7dtd--20251219-180000.tar.gz", "7dtd-../x-20251219-180000.tar.gz",
    "7dtd-.hidden-20251219-180000.tar.gz", "7dtd-a\nb-20251219-180000.tar.gz", "webui_20251219-040000.db",
    "postgresql_20251219_030000.sql", "history", "",
  ]) for (const naming of all) expect(naming.parse(name), name).toBeUndefined(); // biome-ignore format: a table
});

test("historyNaming() refuses to write what it could not read", () => {
  const { sdtd, factorio } = namings;
  for (const world of [undefined, "", "..", ".hidden", "a/b", "a\\b", "a\0b", "a\nb"]) {
    expect(() => sdtd.name("20251219-180000", world), String(world)).toThrow(RangeError);
  }
  for (const id of ["", "latest", "20250230-000000", "../../etc/passwd"]) {
    expect(() => factorio.name(id), id).toThrow(RangeError);
  }
});
