import { mkdir, readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { cacheFolder } from "./cache.ts";
import { command } from "./command.ts";
import { made } from "./made.ts";
import { firstPackage } from "./packages.ts";

/**
 * Debian's containerd and runc, unpacked and not installed: nobody asked for a container service on this machine.
 * @returns The root that they are unpacked into.
 */
export function unpackContainerd(say: (line: string) => void): Promise<string> {
  return made(join(cacheFolder, "containerd"), async (folder) => {
    say("Unpacking Debian's containerd and runc");
    await mkdir(folder);
    const packages = await Promise.all(["containerd", "runc"].map(firstPackage));
    await command("apt-get", ["download", "-q", ...packages], { cwd: folder });
    for (const name of await readdir(folder)) {
      await command("dpkg-deb", ["--extract", join(folder, name), folder]);
      await rm(join(folder, name));
    }
  });
}
