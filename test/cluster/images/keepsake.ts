import { copyFile, mkdir, mkdtemp, readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { assemble } from "../../../deploy/image/assemble.ts";
import { cacheFolder } from "../install/cache.ts";
import { made } from "../install/made.ts";
import { archiveOf, layerOf } from "./archive.ts";
import { debianLayer } from "./debian.ts";
import { configOf } from "./dockerfile.ts";

/** The project's own image: what the Dockerfile makes, out of the same lists, of this machine's Debian and Node. */
export const keepsake = "keepsake.test/keepsake:1";

const root = join(import.meta.dirname, "../../..");
const shelf = join(cacheFolder, "images");

/** The part of it that does not change with the project's sources, as layers; made once. */
export async function keepsakeBase(say: (line: string) => void): Promise<string[]> {
  const list = await readFile(join(root, "deploy/image/packages"), "utf8");
  const packages = list.split("\n").filter((line) => line && !line.startsWith("#"));
  return [await debianLayer([...packages, "libstdc++6"], say), await nodeLayer()];
}

/** @returns Its archive, made anew of the sources as they are. */
export async function keepsakeImage(say: (line: string) => void): Promise<string> {
  const base = await keepsakeBase(say);
  const making = await mkdtemp(join(shelf, "keepsake-"));
  try {
    await assemble(join(making, "root/app"));
    await layerOf(join(making, "root"), join(making, "app.tar"));
    const config = configOf(await readFile(join(root, "Dockerfile"), "utf8"));
    const archive = join(shelf, "keepsake.tar");
    await archiveOf([...base, join(making, "app.tar")], keepsake, config, archive);
    return archive;
  } finally {
    await rm(making, { recursive: true });
  }
}

function nodeLayer(): Promise<string> {
  return made(join(shelf, `node-${process.version}.tar`), async (target) => {
    const folder = await mkdtemp(`${target}.`);
    try {
      await mkdir(join(folder, "usr/local/bin"), { recursive: true });
      await copyFile(join(root, "node_modules/node/bin/node"), join(folder, "usr/local/bin/node"));
      await layerOf(folder, target);
    } finally {
      await rm(folder, { recursive: true });
    }
  });
}
