import { execFile } from "node:child_process";
import { mkdtemp, readFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { expect, test } from "vitest";
import { readState } from "./game.ts";
import { type GameState, writeSave } from "./make-save.ts";

const state: GameState = { seed: 42, tick: 3600, saves: 1, levelBytes: 2_200_000 };

async function made(changes: Partial<GameState> = {}, name = "homelab"): Promise<{ path: string; bytes: Buffer }> {
  const path = join(await mkdtemp(join(tmpdir(), "make-save-")), `${name}.zip`);
  await writeSave(path, name, { ...state, ...changes });
  return { path, bytes: await readFile(path) };
}

test("writeSave() gives the same bytes for the same state, other ones for another", async () => {
  const { bytes } = await made();
  expect((await made()).bytes.equals(bytes)).toBe(true);
  for (const other of [
    await made({ saves: 2 }),
    await made({ tick: 3601 }),
    await made({ seed: 43 }),
    await made({}, "_autosave1"),
  ]) {
    expect(other.bytes.equals(bytes)).toBe(false);
  }
});

test("readState() gives back the state that writeSave() wrote", async () => {
  expect(await readState((await made()).path)).toEqual(state);
});

test("writeSave() writes a zip that other programs find sound", async () => {
  const { path } = await made();
  const check = "import sys, zipfile; bad = zipfile.ZipFile(sys.argv[1]).testzip(); sys.exit(bad is not None)";
  const python = await promisify(execFile)("python3", ["-c", check, path]).catch((error) => error);
  if (python.code === "ENOENT") return;
  expect(python.code).toBeUndefined();
});
