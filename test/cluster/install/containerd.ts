import { existsSync } from "node:fs";
import { mkdir, readdir, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { cacheFolder } from "./cache.ts";
import { command } from "./command.ts";

/**
 * Debian's containerd and runc, unpacked and not installed: nobody asked for a container service on this machine.
 * @returns The root that they are unpacked into.
 */
export async function unpackContainerd(say: (line: string) => void): Promise<string> {
  const folder = join(cacheFolder, "containerd");
  if (existsSync(folder)) return folder;
  say("Unpacking Debian's containerd and runc");
  const making = `${folder}.${process.pid}`;
  await mkdir(making, { recursive: true });
  await command("apt-get", ["download", "-q", "containerd", "runc"], { cwd: making });
  for (const name of await readdir(making)) {
    await command("dpkg-deb", ["--extract", join(making, name), making]);
    await rm(join(making, name));
  }
  await rename(making, folder).catch(async (error: unknown) => {
    await rm(making, { recursive: true }); // another process was faster
    if (!existsSync(folder)) throw error;
  });
  return folder;
}
