import { readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { count, formatBytes } from "../../../shared/words.ts";

interface Row {
  readonly name: string;
  readonly about: string;
}

/** Folders that nobody opens to look at each file: the sum of what is in them is told. */
const summedUp = /^(history|pinned|cache|uploads|vector_db|d-[0-9a-f]+)$/;

/**
 * A folder as a person sees it who opens it on a Mac, without Keepsake's own hidden one: files before folders, with
 * sizes. Old backups, map tiles and the weights of models are told as sums, and a model as one line: "llama3.2/1b".
 */
export async function drawTree(folder: string, title: string): Promise<string[]> {
  const rows = [{ name: title, about: "" }, ...(await rowsOf(folder, "", false))];
  const width = Math.max(...rows.map(({ name }) => name.length));
  return rows.map(({ name, about }) => (about ? `${name.padEnd(width)}  ${about}` : name));
}

async function rowsOf(folder: string, indent: string, chained: boolean): Promise<Row[]> {
  const entries = await entriesOf(folder, chained);
  const rows: Row[] = [];
  for (const [index, { name, path, isFolder, about }] of entries.entries()) {
    const last = index === entries.length - 1;
    rows.push({ name: `${indent}${last ? "└── " : "├── "}${name}${isFolder ? "/" : ""}`, about });
    if (!isFolder || summedUp.test(name)) continue;
    rows.push(...(await rowsOf(path, `${indent}${last ? "    " : "│   "}`, chained || name === "manifests")));
  }
  return rows;
}

interface Entry extends Row {
  readonly path: string;
  readonly isFolder: boolean;
}

async function entriesOf(folder: string, chained: boolean): Promise<Entry[]> {
  const found = (await readdir(folder, { withFileTypes: true }))
    .filter(({ name }) => !name.startsWith("."))
    .sort((a, b) => Number(a.isDirectory()) - Number(b.isDirectory()) || (a.name < b.name ? -1 : 1));
  const weights = found.filter(({ name }) => name.startsWith("sha256-"));
  const entries: Entry[] = [];
  if (weights.length > 0) {
    entries.push({ name: "sha256-*", path: folder, isFolder: false, about: await sumOf(folder) });
  }
  for (const entry of found) {
    if (weights.includes(entry)) continue;
    const path = join(folder, entry.name);
    const isFolder = entry.isDirectory();
    const about = isFolder
      ? summedUp.test(entry.name)
        ? await sumOf(path)
        : ""
      : formatBytes((await stat(path)).size);
    const own = { name: entry.name, path, isFolder, about };
    entries.push(chained && isFolder ? await joined(own) : own);
  }
  return entries;
}

/** "library/llama3.2/1b": a folder that holds one thing only is told together with it. */
async function joined(entry: Entry): Promise<Entry> {
  const inside = await entriesOf(entry.path, false);
  const [only] = inside;
  if (!only || inside.length > 1) return entry;
  const next = { ...only, name: `${entry.name}/${only.name}` };
  return only.isFolder ? joined(next) : next;
}

async function sumOf(folder: string): Promise<string> {
  let [files, bytes] = [0, 0];
  for (const entry of await readdir(folder, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile() || entry.name.startsWith(".")) continue;
    files += 1;
    bytes += (await stat(join(entry.parentPath, entry.name))).size;
  }
  return `${count(files, "file")}, ${formatBytes(bytes)}`;
}
