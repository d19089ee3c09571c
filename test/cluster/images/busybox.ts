import { chmod, copyFile, mkdir, mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { basename, join } from "node:path";
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
  return Promise.all([busyboxAs(busybox), archive(pause, { Entrypoint: ["sleep", "2147483647"] })]);
}

/** @returns The archive of a busybox that goes by the name of another program's image. */
export const busyboxAs = (name: string): Promise<string> => archive(name, { Cmd: ["sh"] });

function archive(name: string, start: object): Promise<string> {
  const shelf = join(cacheFolder, "images");
  return made(join(shelf, `${basename(name).replace(/:.*/, "")}.tar`), async (target) => {
    const layer = await made(join(shelf, "busybox-layer.tar"), busyboxLayer);
    return archiveOf([layer], name, { Env: ["PATH=/bin"], ...start }, target);
  });
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
