import { access, constants } from "node:fs/promises";
import { delimiter, join } from "node:path";
import { busyboxImages } from "../images/busybox.ts";
import { keepsakeBase } from "../images/keepsake.ts";
import { serversImage } from "../images/servers.ts";
import { unpackContainerd } from "./containerd.ts";
import { buildKubernetes } from "./kubernetes.ts";

/** What a cluster is started from. */
export interface Installed {
  /** The folder of Kubernetes' programs. */
  kubernetes: string;
  /** The root that holds containerd and runc. */
  containerd: string;
  /** The images that no cluster is without, as archives. */
  images: string[];
}

const setup = "Type, as root: sh deploy/local/setup.sh e2e";

/**
 * Makes what is missing, and says so; done in a moment when all is there.
 * @throws {Error} With the remedy, when this machine cannot run a cluster.
 */
export async function install(say: (line: string) => void): Promise<Installed> {
  await checkMachine();
  const [kubernetes, containerd, images] = await Promise.all([
    buildKubernetes(say),
    unpackContainerd(say),
    busyboxImages(),
    // What takes long of the other images, which would be a test's time.
    serversImage(say),
    keepsakeBase(say),
  ]);
  return { kubernetes, containerd, images };
}

async function checkMachine(): Promise<void> {
  const cannot = "Cannot run a Kubernetes of the tests";
  if (process.platform !== "linux") throw new Error(`${cannot}: Linux is needed, this is ${process.platform}`);
  if (process.getuid?.() !== 0) {
    throw new Error(`${cannot}: root is needed, for namespaces and mounts. Type: sudo make e2e`);
  }
  for (const program of [
    "apt-get",
    "dpkg-deb",
    "ip",
    "iptables",
    "mmdebstrap",
    "nsenter",
    "openssl",
    "setpriv",
    "unshare",
  ]) {
    if (!(await isOnPath(program))) throw new Error(`${cannot}: ${program} is needed. ${setup}`);
  }
  for (const path of ["/usr/lib/cni/bridge", "/bin/busybox"]) {
    if (!(await may(path, constants.X_OK))) throw new Error(`${cannot}: ${path} is needed. ${setup}`);
  }
  const groups = "/sys/fs/cgroup";
  const probe = join(groups, (await may(join(groups, "memory"), constants.F_OK)) ? "memory" : "");
  if (!(await may(probe, constants.W_OK))) {
    throw new Error(
      `${cannot}: control groups are needed, and ${probe} is read-only. In a container: run it with --privileged`,
    );
  }
}

async function isOnPath(program: string): Promise<boolean> {
  const folders = (process.env.PATH ?? "").split(delimiter).filter(Boolean);
  const found = await Promise.all(folders.map((folder) => may(join(folder, program), constants.X_OK)));
  return found.includes(true);
}

const may = (path: string, mode: number) =>
  access(path, mode).then(
    () => true,
    () => false,
  );
