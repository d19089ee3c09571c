import { hash } from "node:crypto";
import { lstat } from "node:fs/promises";
import { join } from "node:path";
import { ignore } from "../../shared/disk.ts";
import { Failure } from "../../shared/failures.ts";
import type { MirrorTree } from "../../shared/mirror-app.ts";
import type { EmptyTiles } from "./complete.ts";
import { parsePage } from "./index-html.ts";
import { filesOf } from "./render-files.ts";
import { infoName, openRender, pageName } from "./render-folder.ts";

/** A file of the published map, and where it goes in a renderer's folder. */
export interface WantedFile {
  /** Below that folder. */
  readonly path: string;
  readonly from: string;
  readonly sizeBytes: number;
  /** Absent when no manifest knows it. */
  readonly sha256?: string;
}

const isPlainName = (name: string) => /^[A-Za-z0-9][\w.-]*$/.test(name);
const isRenderFile = (path: string) => path === infoName || /^s\d+zoom_\d+\/tile_-?\d+_-?\d+\.jpg$/.test(path);

/** Whether index.html is the one that the manifest was written for: a publish may have been killed right before. */
export function isKnownTree({ root, files }: MirrorTree, page: Buffer): boolean {
  const name = `renders/d-${parsePage(page, join(root, pageName), "backup_damaged").hash}`;
  const entry = files.find((file) => file.name === pageName);
  return entry?.sha256 === hash("sha256", page) && files.some((file) => file.kind === "folder" && file.name === name);
}

/**
 * The files of the published map but index.html: those of the manifest, or those that index.html and mapshot.json
 * stand for when no manifest knows them.
 * @throws {Failure} `backup_damaged`, `backup_hostile` when a manifest has a name that no map has.
 */
export async function* mapFiles(
  tree: MirrorTree,
  { known, emptyTiles, signal }: { known: boolean; emptyTiles: EmptyTiles; signal: AbortSignal },
): AsyncGenerator<WantedFile> {
  if (known) {
    yield* listedFiles(tree);
    return;
  }
  const render = await openRender(tree.root, "backup_damaged");
  for (const name of render.viewer) yield await lookAt({ path: name, from: join(render.folder, name) });
  for await (const { path, from, sizeBytes } of filesOf(render, { emptyTiles, signal, code: "backup_damaged" })) {
    yield { path: `${render.name}/${path}`, from, sizeBytes };
  }
}

async function* listedFiles(tree: MirrorTree): AsyncGenerator<WantedFile> {
  for (const { kind, name, sha256 } of tree.files) {
    if (name === pageName) continue;
    if (kind === "file") {
      if (!isPlainName(name)) throw hostile(name);
      yield await lookAt({ path: name, from: join(tree.root, name), sha256 });
      continue;
    }
    const [, render] = /^renders\/(d-[0-9a-f]{8})$/.exec(name) ?? [];
    if (render === undefined) throw hostile(name);
    for await (const { path, sha256: sum } of tree.filesOf(name)) {
      if (!isRenderFile(path)) throw hostile(`${name}/${path}`);
      yield await lookAt({ path: `${render}/${path}`, from: join(tree.root, name, path), sha256: sum });
    }
  }
}

async function lookAt(file: Omit<WantedFile, "sizeBytes">): Promise<WantedFile> {
  const info = await lstat(file.from).catch(ignore("ENOENT", "ENOTDIR"));
  if (info?.isFile()) return { ...file, sizeBytes: info.size };
  throw new Failure(
    "backup_damaged",
    `Cannot restore "${file.from}": a file is wanted, ${info ? "is something else" : "it is not there"}`,
    {
      hint: "Nothing was replaced. A backup of the present map mends the NAS.",
    },
  );
}

const hostile = (name: string) =>
  new Failure("backup_hostile", `Cannot restore ${JSON.stringify(name)}: a file of a map is wanted, is something else`);
