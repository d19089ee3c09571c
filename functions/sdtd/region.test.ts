import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { deflateRawSync } from "node:zlib";
import fc from "fast-check";
import { beforeEach, expect, test } from "vitest";
import { makeGame, newGame, smallGame } from "../../deploy/local/lab/sdtd/make-game.ts";
import { chunkBytes, RegionFile } from "../../deploy/local/lab/sdtd/region-file.ts";
import { tempFolder } from "../../shared/testing.ts";
import { RegionCheck } from "./region.ts";

/** Why a region file is damaged, read in pieces of that size, each overwritten afterwards as a reader's buffers are. */
function why(bytes: Buffer, pieceBytes = 1000): string | undefined {
  const check = new RegionCheck();
  const piece = Buffer.alloc(pieceBytes);
  for (let at = 0; at < bytes.length; at += pieceBytes) {
    const length = bytes.copy(piece, 0, at);
    check.update(piece.subarray(0, length));
    piece.fill(0xee);
  }
  return check.end();
}

let good: Buffer;
beforeEach(async () => {
  const folder = await makeRegion();
  const [name = ""] = await readdir(folder);
  good = await readFile(join(folder, name));
});

async function makeRegion() {
  const folder = await tempFolder();
  await makeGame(folder, newGame(1), { ...smallGame, regions: 1 });
  return join(folder, "Region");
}

const slotAt = (slot: number) => 4096 + 4 * slot;
const usedSlot = () => {
  const slot = Array.from({ length: 1024 }, (_, index) => index).find((index) => good.readUInt16LE(slotAt(index)) > 3);
  return slot as number;
};
const spoiled = (change: (bytes: Buffer) => void) => {
  const bytes = Buffer.from(good);
  change(bytes);
  return bytes;
};

test("RegionCheck accepts a region, however it is cut, and counts its chunks", () => {
  for (const pieceBytes of [1, 7, 4096, 12_288, 70_000, 1 << 20]) expect(why(good, pieceBytes)).toBeUndefined();
  const check = new RegionCheck();
  check.update(good);
  expect(check.chunks).toBe(smallGame.chunksPerRegion);
});

test("RegionCheck accepts regions on both sides of zero, empty ones, and ones whose chunks have moved", async () => {
  const folder = await tempFolder();
  await makeGame(folder, newGame(2), { ...smallGame, regions: 9 });
  const region = await RegionFile.open(join(folder, "Region"), "r.0.0.7rg");
  await region.write({ x: 1, z: 0 }, chunkBytes({ x: 1, z: 0 }, 1, 2, 60_000), 5);
  await region.write({ x: 2, z: 0 }, chunkBytes({ x: 2, z: 0 }, 1, 2, 1000), 5);
  await region.close();
  await (await RegionFile.open(join(folder, "Region"), "r.7.7.7rg")).close();
  for (const name of await readdir(join(folder, "Region"))) {
    expect(why(await readFile(join(folder, "Region", name))), name).toBeUndefined();
  }
});

test("RegionCheck names the slot, and why", () => {
  const slot = usedSlot();
  const start = good.readUInt16LE(slotAt(slot)) * 4096;
  const cases: [string, (bytes: Buffer) => void][] = [
    ["begins with 00000001", (bytes) => bytes.fill(0, 0, 3)],
    [`slot ${slot}: its chunk begins at 8192, inside the header`, (bytes) => bytes.writeUInt16LE(2, slotAt(slot))],
    [`slot ${slot}: its chunk ends at `, (bytes) => bytes.writeUInt16LE(60_000, slotAt(slot))],
    [`slot ${slot}: its chunk of 100000 bytes does not fit`, (bytes) => bytes.writeInt32LE(100_000, start)],
    [`slot ${slot}: its chunk of -1 bytes does not fit`, (bytes) => bytes.writeInt32LE(-1, start)],
    [`slot ${slot}: its chunk begins with 00000000`, (bytes) => bytes.fill(0, start + 16, start + 20)],
    [`slot ${slot}: its chunk cannot be inflated`, (bytes) => bytes.fill(0xff, start + 24, start + 400)],
    ["lies in that of slot", (bytes) => bytes.writeUInt16LE(good.readUInt16LE(slotAt(slot)) - 1, slotAt(slot))],
  ];
  for (const [reason, change] of cases) expect(why(spoiled(change)), reason).toContain(reason);
});

test("RegionCheck notices a file that was cut short, wherever", () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 0, max: good.length - 1 }),
      fc.integer({ min: 1, max: 9000 }),
      (length, pieceBytes) => {
        expect(why(good.subarray(0, length), pieceBytes)).toBeTypeOf("string");
      },
    ),
    { numRuns: 60 },
  );
  expect(why(Buffer.alloc(0))).toBe("it is empty");
  expect(why(good.subarray(0, 9000))).toBe("a header of 12288 bytes is wanted, are 9000");
});

test("RegionCheck notices a chunk of which one sector is of another time (a copy made during a write)", async () => {
  const folder = await tempFolder();
  const at = { x: 3, z: 4 };
  const write = async (name: string, time: number) => {
    const region = await RegionFile.open(folder, name);
    // Text, because what does not compress is stored, and stored bytes may be any.
    const body = deflateRawSync(chunkBytes(at, 1, time, 60_000).toString("hex"));
    await region.write(at, Buffer.concat([Buffer.from("ttc\0"), Buffer.alloc(4), body]), 1);
    await region.close();
    return readFile(join(folder, name));
  };
  const [before, after] = [await write("a", 1000), await write("b", 2000)];
  expect(Math.abs(before.length - after.length)).toBeLessThan(8192);
  after.copy(before, 4 * 4096, 4 * 4096, 5 * 4096);
  expect(why(before)).toContain("half written");
});

test("RegionCheck never throws and never needs more than a chunk, whatever the bytes", () => {
  const bytes = fc.uint8Array({ maxLength: 300 }).map((tail) => {
    const header = Buffer.alloc(12_288);
    header.write("7rg");
    header[3] = 1;
    Buffer.from(tail).copy(header, 4096);
    return Buffer.concat([header, Buffer.alloc(20_000, tail[0] ?? 0)]);
  });
  fc.assert(
    fc.property(bytes, (file) => {
      expect([undefined, "string"]).toContain(why(file) === undefined ? undefined : "string");
    }),
    { numRuns: 50 },
  );
});

test("RegionCheck refuses a chunk that would fill the memory when it is inflated", () => {
  const bomb = deflateRawSync(Buffer.alloc(100 << 20));
  const sectors = Math.ceil((bomb.length + 24) / 4096);
  const file = Buffer.alloc((3 + sectors) * 4096);
  file.write("7rg");
  file[3] = 1;
  file.writeUInt16LE(3, 4096);
  file[4099] = sectors;
  file.writeInt32LE(bomb.length + 8, 12_288);
  file.write("ttc\0", 12_288 + 16);
  bomb.copy(file, 12_288 + 24);
  expect(why(file)).toContain("cannot be inflated");
});

test("RegionCheck accepts the first version of the format, and looks at where its chunks end", () => {
  const file = Buffer.alloc(3 * 4096 + 4 + 5 + 4096);
  file.write("7rg");
  file.writeUInt16LE(3, 4);
  file[7] = 1;
  file.writeInt32LE(3000, 3 * 4096 + 4);
  expect(why(file)).toBeUndefined();
  file.writeInt32LE(9000, 3 * 4096 + 4);
  expect(why(file)).toContain("slot 0: its chunk ends at 21297, the file at 16393");
  expect(why(file.subarray(0, 8000))).toContain("a header of 8196 bytes is wanted");
});

test("RegionCheck accepts a console's regions, and looks at where their chunks end", () => {
  const file = Buffer.alloc(2000);
  file.write("7rr");
  file.writeInt32LE(1, 3);
  file.writeInt32LE(779, 11 + 8 * 5);
  file.writeInt32LE(500, 779);
  expect(why(file)).toBeUndefined();
  file.writeInt32LE(5000, 779);
  expect(why(file)).toContain("slot 5");
  file.writeInt32LE(700, 11 + 8 * 5);
  expect(why(file)).toContain("inside the header");
});
