import { copyFile, cp, mkdir } from "node:fs/promises";
import { join, resolve } from "node:path";
import { root } from "../../functions/bundle.ts";
import { bundleProgram } from "../../functions/bundler.ts";
import { programs } from "../../functions/programs.ts";
import { isForTests, kept } from "./contents.ts";

/**
 * `node deploy/image/assemble.ts <folder>`: writes the image's /app into a folder that is empty or not there. It may be
 * moved as a whole, needs no package beside it, and nothing in it depends on the machine.
 */
export async function assemble(folder: string): Promise<void> {
  await mkdir(folder, { recursive: true });
  for (const path of kept) {
    await cp(join(root, path), join(folder, path), { recursive: true, filter: (source) => !isForTests(source) });
  }
  for (const program of programs) {
    await bundleProgram(program, join(folder, "build", program), { rootFromBundle: "../..", amongBundles: true });
  }
  await copyFile(join(import.meta.dirname, "keepsake.cjs"), join(folder, "keepsake.cjs"));
}

if (import.meta.main) {
  const [folder] = process.argv.slice(2);
  if (folder === undefined) throw new Error("Cannot assemble: the folder to write into is wanted");
  await assemble(resolve(folder));
}
