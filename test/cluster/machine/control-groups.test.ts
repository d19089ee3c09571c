import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { makeGroups } from "./control-groups.ts";

/* Files as the kernel shows them; a machine has one version or the other. */

async function treeOf(files: Record<string, string>): Promise<string> {
  const root = await mkdtemp(join(tmpdir(), "groups-"));
  onTestFinished(() => rm(root, { recursive: true }));
  for (const [path, text] of Object.entries(files)) {
    await mkdir(join(root, path, ".."), { recursive: true });
    await writeFile(join(root, path), text);
  }
  return root;
}

test("makeGroups() hands the kubelet's controllers down in version 2, as far as the kernel has them", async () => {
  const root = await treeOf({ "cgroup.controllers": "cpuset cpu io memory pids rdma misc\n" });
  await makeGroups("ours", root);
  const controllers = "+cpu +cpuset +io +memory +pids";
  expect(await readFile(join(root, "cgroup.subtree_control"), "utf8")).toBe(controllers);
  expect(await readFile(join(root, "ours/cgroup.subtree_control"), "utf8")).toBe(controllers);
});

test("makeGroups() makes a group in each tree of version 1, and lets processes into that of cpuset", async () => {
  const root = await treeOf({
    "memory/cgroup.clone_children": "0",
    "cpuset/cgroup.clone_children": "0",
    "cpuset/cpuset.cpus": "0-1\n",
    "cpuset/cpuset.mems": "0\n",
    "unified/cgroup.procs": "",
    "not-a-tree/file": "",
  });
  await makeGroups("ours", root);
  expect(await readFile(join(root, "cpuset/ours/cpuset.cpus"), "utf8")).toBe("0-1\n");
  expect(await readFile(join(root, "cpuset/ours/cpuset.mems"), "utf8")).toBe("0\n");
  for (const tree of ["memory", "unified"]) await expect(mkdir(join(root, tree, "ours"))).rejects.toThrow("EEXIST");
  await expect(mkdir(join(root, "not-a-tree/ours"))).resolves.toBeUndefined();
});
