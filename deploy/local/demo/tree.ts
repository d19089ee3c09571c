import { readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { hiddenFolder } from "../../../shared/nas/nas.ts";
import { formatBytes } from "../../cli/format.ts";

/** A folder as `tree` draws it, files before folders, with the sizes of files; without Keepsake's own hidden one. */
export async function drawTree(folder: string, title: string): Promise<string[]> {
  const rows = [{ name: title, size: "" }, ...(await rowsOf(folder, ""))];
  const width = Math.max(...rows.map(({ name }) => name.length));
  return rows.map(({ name, size }) => (size ? `${name.padEnd(width)}  ${size}` : name));
}

async function rowsOf(folder: string, indent: string): Promise<{ name: string; size: string }[]> {
  const entries = (await readdir(folder, { withFileTypes: true }))
    .filter(({ name }) => name !== hiddenFolder)
    .sort((a, b) => Number(a.isDirectory()) - Number(b.isDirectory()) || (a.name < b.name ? -1 : 1));
  const rows = await Promise.all(
    entries.map(async (entry, index) => {
      const last = index === entries.length - 1;
      const path = join(folder, entry.name);
      const name = `${indent}${last ? "└── " : "├── "}${entry.name}`;
      if (!entry.isDirectory()) return [{ name, size: formatBytes((await stat(path)).size) }];
      return [{ name: `${name}/`, size: "" }, ...(await rowsOf(path, `${indent}${last ? "    " : "│   "}`))];
    }),
  );
  return rows.flat();
}
