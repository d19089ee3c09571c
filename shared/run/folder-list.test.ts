import { createHash } from "node:crypto";
import { mkdir, readdir, rm, writeFile } from "node:fs/promises";
import { expect, test } from "vitest";
import { makeNas } from "../testing.ts";
import { type ListedFile, listLine, listPath, readList } from "./folder-list.ts";

const sha256 = "0123456789abcdef".repeat(4);

async function listOf(paths: readonly string[]) {
  const { folders } = await makeNas();
  const text = paths.map((path) => listLine({ path, sha256 })).join("");
  const sum = createHash("sha256").update(text).digest("hex");
  await mkdir(folders.folderSums, { recursive: true });
  await writeFile(listPath(folders, sum), text);
  return { folders, sum };
}

test("readList() gives back every name that listLine() takes, whatever separates lines elsewhere", async () => {
  const paths = [
    "a",
    "b\u2028c",
    "d\u2029e",
    "f\u0085g",
    "  two  spaces",
    "ä/ö/ü",
    "n".repeat(200_000),
    "\ud83d\ude00",
  ];
  const { folders, sum } = await listOf(paths);
  const read: ListedFile[] = [];
  for await (const file of readList(folders, sum)) read.push(file);
  expect(read).toEqual(paths.map((path) => ({ path, sha256 })));
});

test("listLine() refuses what would be another line, or escaped by sha256sum", () => {
  for (const path of ["a\nb", "a\rb", "a\\b"]) expect(() => listLine({ path, sha256 })).toThrow("control characters");
});

test("readList() tells nothing of a list that is another one, and closes it when its reader stops early", async () => {
  const { folders, sum } = await listOf(Array.from({ length: 10_000 }, (_, index) => `tile-${index}`));
  for await (const { path } of readList(folders, sum)) {
    expect(path).toBe("tile-0");
    break;
  }
  const open = await readdir("/proc/self/fd").catch(() => []);
  for (let turn = 0; turn < 20; turn += 1) for await (const _ of readList(folders, sum)) break;
  expect((await readdir("/proc/self/fd").catch(() => [])).length).toBeLessThan(open.length + 10);
  await writeFile(listPath(folders, sum), "other");
  await expect(readList(folders, sum).next()).rejects.toMatchObject({ code: "backup_damaged" });
  await rm(listPath(folders, sum));
  await expect(readList(folders, sum).next()).rejects.toMatchObject({ code: "backup_damaged" });
});
