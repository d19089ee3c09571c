import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { writeTtw } from "../../deploy/local/lab/sdtd/main-ttw.ts";
import { makeGame, newGame } from "../../deploy/local/lab/sdtd/make-game.ts";
import { tempFolder } from "../../shared/testing.ts";
import { type FileCheck, FileEnds, MagicCheck } from "./file-check.ts";
import { MainTtwCheck } from "./main-ttw.ts";
import { XmlCheck } from "./xml-check.ts";

function look<Check extends FileCheck>(check: Check, content: Buffer | string, pieceBytes = 64): Check {
  const bytes = Buffer.from(content);
  for (let at = 0; at < bytes.length; at += pieceBytes) check.update(bytes.subarray(at, at + pieceBytes));
  return check;
}
const why = (check: FileCheck, content: Buffer | string) => look(check, content).end();
const state = { ...newGame(5), worldTime: 42 * 24_000 + 100 };

test("FileEnds keeps the first and the last bytes, however the file is cut", () => {
  const bytes = Buffer.from("0123456789");
  for (const pieceBytes of [1, 2, 3, 10]) {
    const ends = new FileEnds(4, 3);
    for (let at = 0; at < bytes.length; at += pieceBytes) ends.update(bytes.subarray(at, at + pieceBytes));
    expect([String(ends.head), String(ends.tail), ends.sizeBytes]).toEqual(["0123", "789", 10]);
  }
  const short = new FileEnds(4, 4);
  short.update(Buffer.from("ab"));
  expect([String(short.head), String(short.tail)]).toEqual(["ab", "ab"]);
});

test("MainTtwCheck reads version, day and the game's GUID", () => {
  const check = look(new MainTtwCheck(), writeTtw(state));
  expect(check.end()).toBeUndefined();
  expect(check.header).toEqual({ version: 22, gameVersion: "V 2.5 (b32)", day: 43, guid: state.guid.toLowerCase() });
});

test("MainTtwCheck gives the same GUID as long as it is the same game, and another one for a game that was begun anew", async () => {
  const folder = await tempFolder();
  await makeGame(folder, state, { regions: 1, chunksPerRegion: 1, chunkBytes: 100, players: 0 });
  const guid = look(new MainTtwCheck(), await readFile(join(folder, "main.ttw"))).header?.guid;
  const later = { ...state, worldTime: state.worldTime + 9999, ticks: 77, nextEntityId: 900 };
  expect(look(new MainTtwCheck(), writeTtw(later)).header?.guid).toBe(guid);
  expect(look(new MainTtwCheck(), writeTtw(newGame(5, "another"))).header?.guid).not.toBe(guid);
});

test("MainTtwCheck notices a header that was cut short while it was written in place", () => {
  const bytes = writeTtw(state);
  expect(why(new MainTtwCheck(), "")).toBe("it is empty");
  expect(why(new MainTtwCheck(), bytes.subarray(0, 5))).toContain("only 5 bytes");
  for (const length of [8, 100, bytes.length - 40, bytes.length - 1]) {
    expect(why(new MainTtwCheck(), bytes.subarray(0, length))).toContain("cut short");
  }
  expect(why(new MainTtwCheck(), Buffer.alloc(500))).toContain("begins with 00000000");
});

test("MainTtwCheck accepts what it does not know: older and newer versions of the format", () => {
  const bytes = writeTtw(state);
  for (const version of [9, 15, 24, 99]) {
    bytes.writeUInt32LE(version, 4);
    expect(why(new MainTtwCheck(), bytes.subarray(0, 600))).toBeUndefined();
  }
});

test("MagicCheck wants the first bytes", () => {
  expect(why(new MagicCheck("ttp\0"), "ttp\0;and more")).toBeUndefined();
  expect(why(new MagicCheck("ttp\0"), "ttp")).toBe('it begins with 747470 and not with "ttp\\0"');
  expect(why(new MagicCheck("ttp\0"), Buffer.alloc(0))).toBe("it is empty");
});

test("XmlCheck accepts XML that is there to its end", () => {
  const long = `<?xml version="1.0"?>\n<!-- made -->\n<players>${"<p/>".repeat(5000)}</players>\n<!-- end -->\n`;
  for (const text of ["<a></a>", "\ufeff<?xml version='1.0'?><a b='1'>x</a>\n", "<players />", long]) {
    expect(why(new XmlCheck(), text), text.slice(0, 40)).toBeUndefined();
  }
});

test("XmlCheck notices XML that is empty, cut short, of zeros, or none", () => {
  const long = `<players>${"<p/>".repeat(5000)}</players>`;
  for (const text of [
    "",
    "<players>",
    long.slice(0, -1),
    long.slice(0, 9000),
    "<players><p/>",
    "hello",
    "\0".repeat(50),
  ]) {
    expect(why(new XmlCheck(), text), text.slice(0, 40)).toBeTypeOf("string");
  }
});
