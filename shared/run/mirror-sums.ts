import { join } from "node:path";
import { isTemporary } from "../disk.ts";
import { type Manifest, namesIn } from "../nas/points.ts";
import type { MirrorRun } from "./app-run.ts";
import { listPath, readList } from "./folder-list.ts";

/** Writes `.keepsake/<app>/SHA256SUMS` for all files of the mirror, to be checked in the root of the export. */
export async function writeMirrorSums(run: MirrorRun, { files }: Manifest): Promise<void> {
  const { ctx, folders, type } = run;
  const base = type.mirror.folder === "." ? folders.app : `${folders.app}/${type.mirror.folder}`;
  async function* lines(): AsyncGenerator<Buffer> {
    for (const { kind, name, sha256 } of files.toSorted((a, b) => (a.name < b.name ? -1 : 1))) {
      if (kind === "file") {
        yield Buffer.from(`${sha256}  ${base}/${name}\n`);
        continue;
      }
      let text = "";
      for await (const file of readList(folders, sha256)) {
        text += `${file.sha256}  ${base}/${name}/${file.path}\n`;
        if (text.length < 1 << 16) continue;
        yield Buffer.from(text);
        text = "";
      }
      yield Buffer.from(text);
    }
  }
  await ctx.disk.makeDir(folders.hidden);
  await ctx.disk.replace(folders.sums, lines());
}

/** Lists of folders that are no part of the backup any more. */
export async function removeOldLists({ ctx, folders }: MirrorRun, { files }: Manifest): Promise<void> {
  const needed = new Set(files.map(({ sha256 }) => listPath(folders, sha256)));
  for (const name of await namesIn(folders.folderSums)) {
    const path = join(folders.folderSums, name);
    if (!needed.has(path) && (/^[0-9a-f]{64}\.sha256$/.test(name) || isTemporary(name))) await ctx.disk.remove(path);
  }
}
