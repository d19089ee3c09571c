import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { cacheFolder } from "../install/cache.ts";
import { command } from "../install/command.ts";
import { made } from "../install/made.ts";
import { firstPackage } from "../install/packages.ts";

/** Where packages come from, as far as it is Debian's or Ubuntu's own: the first that there is. */
const sources = [
  "/etc/apt/sources.list.d/debian.sources",
  "/etc/apt/sources.list.d/ubuntu.sources",
  "/etc/apt/sources.list",
];

const leftOut = [
  ...["doc", "i18n", "info", "locale", "man"].map((name) => `/usr/share/${name}/*`),
  // PostgreSQL's compiler of queries is half of an image, and is not missed.
  ...["*/libLLVM*", "*/libz3.so*", "*/llvmjit*", "*/bitcode/*"],
];

/** Of PostgreSQL's server, which makes a database when it is installed, and is not on the PATH. */
const hooks = [
  '--essential-hook=cd "$1"/etc && mkdir -p postgresql-common/createcluster.d && echo create_main_cluster=false >postgresql-common/createcluster.d/none.conf',
  '--customize-hook=chroot "$1" sh -c "ln -sf /usr/lib/postgresql/*/bin/* /usr/local/bin/"',
];

/**
 * A small Debian of this machine's release with some packages, as the lowest layer of an image: made once.
 * @param packages Names; with alternatives, such as "a | b", the first that the release has.
 */
export async function debianLayer(packages: string[], say: (line: string) => void): Promise<string> {
  const [, release] = /^VERSION_CODENAME=(\S+)$/m.exec(await readFile("/etc/os-release", "utf8"))!;
  const key = createHash("sha256")
    .update([release, ...packages].join("\n"))
    .digest("hex")
    .slice(0, 16);
  return made(join(cacheFolder, "images", `debian-${key}.tar`), async (target) => {
    const names = await Promise.all(packages.map(firstPackage));
    say(`Making an image of ${release} with ${names.join(", ")}`);
    const options = ["--variant=minbase", "--format=tar", "--skip=output/mknod", `--include=${names.join(",")}`];
    const excluded = leftOut.map((pattern) => `--dpkgopt=path-exclude=${pattern}`);
    const source = sources.find((path) => existsSync(path));
    await command("mmdebstrap", [...options, ...excluded, ...hooks, release!, target, ...(source ? [source] : [])]);
  });
}
