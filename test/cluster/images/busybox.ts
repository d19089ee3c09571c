import { chmod, copyFile, mkdir, mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { cacheFolder } from "../install/cache.ts";
import { command } from "../install/command.ts";
import { made } from "../install/made.ts";
import { archiveOf, layerOf } from "./archive.ts";

export const busybox = "keepsake.test/busybox:1";
/** What holds a pod's namespaces while its containers come and go. */
export const pause = "keepsake.test/pause:1";

const program = "/bin/busybox"; // Debian's busybox-static: one program, no libraries

/** @returns The archives of both. */
export async function busyboxImages(): Promise<string[]> {
  const shelf = join(cacheFolder, "images");
  const layer = () => made(join(shelf, "busybox-layer.tar"), busyboxLayer);
  const env = { Env: ["PATH=/bin"] };
  return Promise.all([
    made(join(shelf, "busybox.tar"), async (target) =>
      archiveOf([await layer()], busybox, { ...env, Cmd: ["sh"] }, target),
    ),
    made(join(shelf, "pause.tar"), async (target) =>
      archiveOf([await layer()], pause, { ...env, Entrypoint: ["sleep", "2147483647"] }, target),
    ),
  ]);
}

async function busyboxLayer(target: string): Promise<void> {
  const root = await mkdtemp(`${target}.`);
  try {
    for (const folder of ["bin", "etc", "tmp", "proc", "sys", "dev"]) await mkdir(join(root, folder));
    await chmod(root, 0o755);
    await chmod(join(root, "tmp"), 0o1777);
    await copyFile(program, join(root, "bin/busybox"));
    const names = (await command(program, ["--list"])).trim().split("\n");
    for (const name of names) if (name !== "busybox") await symlink("busybox", join(root, "bin", name));
    await writeFile(join(root, "etc/passwd"), "root:x:0:0:root:/:/bin/sh\n");
    await layerOf(root, target);
  } finally {
    await rm(root, { recursive: true });
  }
}
