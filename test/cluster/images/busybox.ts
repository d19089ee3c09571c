import { existsSync } from "node:fs";
import { chmod, copyFile, mkdir, mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { cacheFolder } from "../install/cache.ts";
import { command } from "../install/command.ts";
import { archiveOf } from "./archive.ts";

export const busybox = "keepsake.test/busybox:1";
/** What holds a pod's namespaces while its containers come and go. */
export const pause = "keepsake.test/pause:1";

const program = "/bin/busybox"; // Debian's busybox-static: one program, no libraries

/** @returns The archives of both. */
export async function busyboxImages(): Promise<string[]> {
  const shelf = join(cacheFolder, "images");
  const archives = [join(shelf, "busybox.tar"), join(shelf, "pause.tar")];
  if (archives.every((archive) => existsSync(archive))) return archives;
  const root = await mkdtemp(join(tmpdir(), "keepsake-busybox-"));
  try {
    for (const folder of ["bin", "etc", "tmp", "proc", "sys", "dev"]) await mkdir(join(root, folder));
    await chmod(root, 0o755);
    await chmod(join(root, "tmp"), 0o1777);
    await copyFile(program, join(root, "bin/busybox"));
    const names = (await command(program, ["--list"])).trim().split("\n");
    for (const name of names) if (name !== "busybox") await symlink("busybox", join(root, "bin", name));
    await writeFile(join(root, "etc/passwd"), "root:x:0:0:root:/:/bin/sh\n");
    const environment = { Env: ["PATH=/bin"] };
    await archiveOf(root, busybox, { ...environment, Cmd: ["sh"] }, archives[0]!);
    await archiveOf(root, pause, { ...environment, Entrypoint: ["sleep", "2147483647"] }, archives[1]!);
  } finally {
    await rm(root, { recursive: true });
  }
  return archives;
}
