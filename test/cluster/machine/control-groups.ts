import { existsSync } from "node:fs";
import { mkdir, readdir, readFile, rmdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";

/*
 * The control groups of a cluster's pods. The kubelet makes what is below a group of ours; nothing else is touched.
 * Version 1 (docs.kernel.org/admin-guide/cgroup-v1) has one tree for each controller, version 2 has one for all.
 */

const mounted = "/sys/fs/cgroup";

/** What the kubelet wants to find enabled in a group of version 2, of those that the kernel has. */
const wanted = ["cpu", "cpuset", "hugetlb", "io", "memory", "pids"];

/** Where the processes of a container wait while we need its own group. */
const aside = "keepsake-aside";

/** @param root Where the control groups are mounted. */
export async function makeGroups(name: string, root = mounted): Promise<void> {
  if (existsSync(join(root, "cgroup.controllers"))) return makeUnifiedGroup(name, root);
  for (const tree of await treesOf(root)) {
    await mkdir(join(tree, name), { recursive: true });
    // A new group of cpuset is empty, and no process may enter it.
    for (const file of ["cpuset.cpus", "cpuset.mems"]) {
      if (existsSync(join(tree, file))) await writeFile(join(tree, name, file), await readFile(join(tree, file)));
    }
  }
}

/**
 * Controllers have to be handed down from the root. In a container the "root" is a group like any other: it may not hand down
 * controllers while processes are in it (docs.kernel.org/admin-guide/cgroup-v2, "no internal processes"), so they
 * move into a group beside ours, where the same limits hold.
 */
async function makeUnifiedGroup(name: string, root: string): Promise<void> {
  const has = (await readFile(join(root, "cgroup.controllers"), "utf8")).trim().split(/\s+/);
  const controllers = wanted.filter((controller) => has.includes(controller));
  const handDown = (group: string) =>
    writeFile(join(group, "cgroup.subtree_control"), controllers.map((controller) => `+${controller}`).join(" "));
  await handDown(root).catch(async (error: NodeJS.ErrnoException) => {
    if (error.code !== "EBUSY") throw error;
    await mkdir(join(root, aside), { recursive: true });
    await moveProcesses(root, join(root, aside));
    await handDown(root);
  });
  await mkdir(join(root, name), { recursive: true });
  await handDown(join(root, name));
}

/** Ends what is left in the groups of a cluster, and removes them. Without any it does nothing. */
export async function removeGroups(name: string, root = mounted): Promise<void> {
  for (const tree of [root, ...(await treesOf(root))]) {
    const group = join(tree, name);
    if (!existsSync(group)) continue;
    const below = await readdir(group, { recursive: true, withFileTypes: true });
    const folders = below.filter((entry) => entry.isDirectory()).map((entry) => join(entry.parentPath, entry.name));
    for (const folder of [group, ...folders].sort().reverse()) await removeGroup(folder);
  }
  if (existsSync(join(root, aside))) await moveBack(root);
}

async function moveBack(root: string): Promise<void> {
  const others = (await readdir(root)).filter((name) => name.startsWith("keepsake-") && name !== aside);
  if (others.length > 0) return;
  const handedDown = (await readFile(join(root, "cgroup.subtree_control"), "utf8")).trim().split(/\s+/);
  const line = handedDown.map((controller) => `-${controller}`).join(" ");
  await writeFile(join(root, "cgroup.subtree_control"), line);
  await moveProcesses(join(root, aside), root);
  await rmdir(join(root, aside));
}

async function moveProcesses(from: string, to: string): Promise<void> {
  for (const pid of await processesOf(from)) {
    await writeFile(join(to, "cgroup.procs"), pid).catch(() => {}); // it has ended, or is the kernel's
  }
}

/** A process that was killed leaves its group only when the kernel is done with it. */
async function removeGroup(folder: string): Promise<void> {
  for (let attempt = 0; ; attempt++) {
    for (const pid of await processesOf(folder)) kill(Number(pid));
    try {
      return await rmdir(folder);
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code === "ENOENT") return;
      if (code !== "EBUSY" || attempt === 100) throw error;
      await delay(20);
    }
  }
}

function kill(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch {} // it has ended
}

async function processesOf(group: string): Promise<string[]> {
  const text = await readFile(join(group, "cgroup.procs"), "utf8").catch(() => "");
  return text.split("\n").filter(Boolean);
}

/** The trees of version 1, and the one of version 2 that stands beside them without controllers. */
async function treesOf(root: string): Promise<string[]> {
  const trees = (await readdir(root).catch(() => [])).map((name) => join(root, name));
  return trees.filter((tree) => existsSync(join(tree, "cgroup.clone_children")) || tree === join(root, "unified"));
}
