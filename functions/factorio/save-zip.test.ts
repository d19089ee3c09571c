import { join } from "node:path";
import { deflateSync } from "node:zlib";
import { expect, test } from "vitest";
import { writeSave } from "../../deploy/local/lab/factorio/make-save.ts";
import { openReadBack } from "../../shared/nas/read-back.ts";
import { proveSave, readMapHash } from "./save-zip.ts";
import { asFile, type RawEntry, rawZip, saveEntries, tempFolder } from "./testing.ts";

const prove = (entries: RawEntry[]) => proveSave(asFile(rawZip(entries)));
const without = (name: string) => saveEntries().filter((entry) => entry.name !== `s/${name}`);
const replaced = (name: string, change: Partial<RawEntry>) =>
  saveEntries().map((entry) => (entry.name === `s/${name}` ? { ...entry, ...change } : entry));
const total = (n: bigint) => {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64LE(n);
  return bytes;
};

test("proveSave() accepts a save of several slices, and says what it is", async () => {
  const path = join(await tempFolder(), "homelab.zip");
  await writeSave(path, "homelab", { seed: 7, tick: 3600, saves: 2, levelBytes: 2_500_000 });
  const file = await openReadBack(path);
  const proof = await proveSave(file);
  expect(proof).toMatchObject({ gameVersion: "2.0.72", createdWith: "2.0.72", levelBytes: 2_500_000, entries: 20 });
  expect(proof.mapHash).toMatch(/^[0-9a-f]{64}$/);
  expect(await readMapHash(file)).toBe(proof.mapHash);
  await file.close();
});

test("proveSave() accepts folders as entries, and a save without level-init.dat", async () => {
  const proof = await prove([{ name: "s/", data: Buffer.alloc(0) }, ...without("level-init.dat")]);
  expect(proof.mapHash).toBeUndefined();
  expect(proof.levelBytes).toBe(3500);
});

test("readMapHash() is the same for every save of a map and another one for another map", async () => {
  const folder = await tempFolder();
  const hashOf = async (name: string, seed: number, tick: number) => {
    await writeSave(join(folder, `${name}.zip`), name, { seed, tick, saves: tick, levelBytes: 100_000 });
    const file = await openReadBack(join(folder, `${name}.zip`));
    return readMapHash(file).finally(() => file.close());
  };
  const first = await hashOf("homelab", 1, 60);
  expect(await hashOf("_autosave2", 1, 99_999)).toBe(first);
  expect(await hashOf("other", 2, 60)).not.toBe(first);
});

test("proveSave() refuses a save cut off anywhere", async () => {
  const whole = rawZip(saveEntries());
  for (let length = 0; length < whole.length; length += 41) {
    await expect(proveSave(asFile(whole.subarray(0, length))), `${length} bytes`).rejects.toMatchObject({
      code: "backup_damaged",
    });
  }
});

test("proveSave() refuses a save with one bit turned in the content of any member", async () => {
  const entries = saveEntries().map((entry) => ({ ...entry, deflate: false }));
  const whole = rawZip(entries);
  for (const { name, data } of entries) {
    const bytes = Buffer.from(whole);
    const at = bytes.indexOf(data ?? Buffer.from(name), bytes.indexOf(name) + name.length);
    bytes[at + 1] = (bytes[at + 1] ?? 0) ^ 4;
    await expect(proveSave(asFile(bytes)), name).rejects.toMatchObject({ code: "backup_damaged" });
  }
});

test.each<[string, RawEntry[], RegExp]>([
  ["without level.datmetadata", without("level.datmetadata"), /level\.datmetadata is wanted, is missing/],
  ["without script.dat", without("script.dat"), /script\.dat is wanted/],
  ["without level.dat*", without("level.dat0").filter(({ name }) => name !== "s/level.dat1"), /level\.dat0 is wanted/],
  [
    "with a gap in level.dat*",
    replaced("level.dat1", { name: "s/level.dat2" }),
    /level\.dat1 is wanted, .*level\.dat2/,
  ],
  ["without the first level.dat", without("level.dat0"), /level\.dat0 is wanted/],
  ["of a game before 1.0", [{ name: "s/level.dat" }, { name: "s/script.dat" }], /before 1\.0/],
  [
    "with less map than it says",
    replaced("level.datmetadata", { data: total(3501n) }),
    /3501 bytes are wanted, are 3500/,
  ],
  ["with more map than it says", replaced("level.datmetadata", { data: total(3499n) }), /level\.dat1 goes on after/],
  [
    "with a short level.datmetadata",
    replaced("level.datmetadata", { data: Buffer.alloc(4) }),
    /8 bytes is wanted, has 4/,
  ],
  [
    "with a slice that is no zlib stream",
    replaced("level.dat0", { data: Buffer.alloc(40, "x") }),
    /level\.dat0.*incorrect header/,
  ],
  [
    "with half a slice",
    replaced("level.dat0", { data: deflateSync(Buffer.alloc(3000, "a")).subarray(0, 15) }),
    /level\.dat0/,
  ],
  ["with a wrong CRC-32", replaced("control.lua", { crc: 5 }), /control\.lua.*CRC-32 00000005 is wanted/],
  [
    "with an entry shorter than it says",
    replaced("control.lua", { sizeBytes: 500 }),
    /control\.lua.*500 bytes are wanted/,
  ],
  ["with an unknown compression", replaced("control.lua", { method: 93 }), /method 93/],
  ["with two folders", [...saveEntries(), { name: "t/x" }], /one folder/],
  ["without a folder", [{ name: "level.dat0" }], /one folder/],
  ["without anything", [], /one folder/],
])("proveSave() refuses a save %s as damaged", async (_, entries, message) => {
  await expect(prove(entries)).rejects.toMatchObject({
    code: "backup_damaged",
    message: expect.stringMatching(message),
  });
});

test.each<[string, RegExp, RawEntry[]]>([
  ["an absolute name", /absolute/, [...saveEntries(), { name: "/etc/cron.d/x" }]],
  ["a drive's name", /absolute/, [...saveEntries(), { name: "C:/x" }]],
  ["a name with ..", /leaves its folder/, [...saveEntries(), { name: "s/../../x" }]],
  ["a name with a backslash", /backslash/, [...saveEntries(), { name: "s\\..\\x" }]],
  ["a name with NUL", /control character/, [...saveEntries(), { name: "s/x\0.lua" }]],
  ["a name of 60 kB", /more than 1024 bytes/, [...saveEntries(), { name: `s/${"x".repeat(60_000)}` }]],
  ["a name that is there twice", /twice/, [...saveEntries(), { name: "s/level.dat0" }]],
  ["names that a Mac takes for one", /twice/, [...saveEntries(), { name: "s/Script.DAT" }]],
  ["accents written in two ways", /twice/, [...saveEntries(), { name: "s/\u00e9" }, { name: "s/e\u0301" }]],
  ["something in a file", /is a file/, [...saveEntries(), { name: "s/script.dat/x" }]],
  ["a symbolic link", /link or a device/, [...saveEntries(), { name: "s/link", mode: 0o120777 }]],
  ["a device", /link or a device/, [...saveEntries(), { name: "s/null", mode: 0o020666 }]],
  ["a named pipe", /link or a device/, [...saveEntries(), { name: "s/pipe", mode: 0o010666 }]],
  ["an encrypted entry", /encrypted/, replaced("script.dat", { flags: 1, deflate: true })],
  ["an entry longer than it says", /has more/, replaced("control.lua", { data: Buffer.alloc(9000), sizeBytes: 100 })],
  ["another name at the data", /another name/, replaced("control.lua", { localName: "s/../../up.lua" })],
  ["a map of a terabyte", /would become/, replaced("level.datmetadata", { data: total(1n << 40n) })],
  ["an entry of 4 GB", /would become/, replaced("control.lua", { sizeBytes: 0xfffffff0 })],
])("proveSave() refuses %s as hostile", async (_, message, entries) => {
  await expect(prove(entries)).rejects.toMatchObject({
    code: "backup_hostile",
    message: expect.stringMatching(message),
  });
});

test("proveSave() refuses entries that share bytes as hostile", async () => {
  const inner: RawEntry = { name: "s/inner", data: Buffer.from("kernel") };
  const outer: RawEntry = { name: "s/outer", data: rawZip([inner]) };
  const headerStart = rawZip([outer]).indexOf("s/outer") + "s/outer".length;
  const shared = rawZip([outer, { ...inner, headerStart }, ...saveEntries()]);
  await expect(proveSave(asFile(shared))).rejects.toMatchObject({
    code: "backup_hostile",
    message: expect.stringContaining('"s/inner" shares bytes'),
  });
});

test("proveSave() stops at a bomb before it has inflated it", async () => {
  const bomb = deflateSync(Buffer.alloc(60 << 20));
  const entries = saveEntries([Buffer.alloc(10)]).map((entry) =>
    entry.name === "s/level.dat0" ? { ...entry, data: bomb } : entry,
  );
  await expect(prove(entries)).rejects.toMatchObject({ message: expect.stringMatching(/goes on after the 10 bytes/) });
});

test("proveSave() stops when the run is cancelled", async () => {
  const cancelled = AbortSignal.abort();
  await expect(proveSave(asFile(rawZip(saveEntries())), cancelled)).rejects.toMatchObject({ name: "AbortError" });
});

test("proveSave() leaves an error of the disk what it is", async () => {
  const broken = Object.assign(new Error("EIO: i/o error, read"), { code: "EIO", syscall: "read" });
  const file = { ...asFile(rawZip(saveEntries())), read: () => Promise.reject(broken) };
  await expect(proveSave(file)).rejects.toBe(broken);
});
