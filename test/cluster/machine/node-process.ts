import { mkdir, readFile, writeFile } from "node:fs/promises";
import { hostname } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { apiOf } from "../api.ts";
import { command } from "../install/command.ts";
import { has, pathOf } from "../objects.ts";
import { containerdConfig, kubeletConfig, mountProgram, networkConfig } from "./config.ts";
import { serveControl } from "./control.ts";
import { forward } from "./forward.ts";
import { kubeconfigOf } from "./keys.ts";
import { serveNames } from "./names.ts";
import { type ProgramName, programNames, programsOf } from "./programs.ts";
import { type About, addresses, nodeName, placesOf, type Run } from "./run.ts";
import { servicesOf } from "./services.ts";
import { Supervisor } from "./supervisor.ts";

/*
 * The node: node-process.ts <folder>. Runs inside namespaces of its own (network, mounts, processes, host name), makes
 * them a machine with an address, starts all programs on it, and prints "ready". With its end all of them end.
 */

const folder = process.argv[2]!;
const { run } = JSON.parse(await readFile(placesOf(folder).about, "utf8")) as Pick<About, "run">;
const places = placesOf(folder);

await Promise.all([hideTheMachine(run), connectTheNode(), writeConfigs(run)]);
const env = {
  ...process.env,
  // Memory for time: a tenth of what the programs do at their start is to collect garbage.
  GOGC: "300",
  PATH: [join(folder, "bin"), run.kubernetes, join(run.containerd, "usr/bin"), process.env.PATH].join(":"),
};
const supervisor = new Supervisor<ProgramName>(programsOf(run), { logs: places.logs, env });
await forward({ path: places.apiSocket }, { host: "127.0.0.1", port: 6443 });
await serveControl(places.controlSocket, supervisor);
await serveNames(addresses.node, await servicesOf(folder));

await Promise.all([
  supervisor.start("containerd").then(() => importImages(run)),
  supervisor.start("etcd").then(() => supervisor.start("kube-apiserver")),
]);
const rest = programNames.slice(programNames.indexOf("kube-apiserver") + 1);
await Promise.all(rest.map((name) => supervisor.start(name)));
await untilUsable();
process.stdout.write("ready\n");

/** What the programs write on a machine lands in memory; what they set for a whole machine is set for show. */
async function hideTheMachine({ folder }: Run): Promise<void> {
  await command("mount", ["--make-rshared", "/"]);
  for (const path of ["/run", "/var/lib", "/var/log"]) await command("mount", ["-t", "tmpfs", "tmpfs", path]);
  await mkdir("/run/lock");
  // Images are layers of overlayfs, which cannot lie on another overlayfs, as the disk of a container is one. And containerd
  // waits for the disk some twenty times for each pod.
  await mkdir(join(folder, "containerd"));
  await command("mount", ["-t", "tmpfs", "tmpfs", join(folder, "containerd")]);
  const settings = { "vm/overcommit_memory": 1, "kernel/panic": 10, "kernel/panic_on_oops": 1 }; // as the kubelet wants them
  for (const [name, value] of Object.entries(settings)) {
    const file = join(folder, name.replace("/", "."));
    await writeFile(file, `${value}\n`);
    await command("mount", ["--bind", file, join("/proc/sys", name)]);
  }
}

async function connectTheNode(): Promise<void> {
  await command("hostname", [nodeName]);
  const lines = [
    "link set lo up",
    "link add eth0 type veth peer name cable",
    "link set cable up",
    `addr add ${addresses.node}/24 dev eth0`,
    "link set eth0 up",
    // Nobody is there; without a way out the kubelet finds no address of its own.
    `route add default via ${addresses.node.replace(/\d+$/, "254")} dev eth0`,
  ];
  await command("ip", ["-batch", "-"], { stdin: lines.join("\n") });
  await writeFile("/proc/sys/net/ipv4/ip_forward", "1");
}

async function writeConfigs(run: Run): Promise<void> {
  const write = (name: string, content: string | object, mode?: number) =>
    writeFile(join(folder, name), typeof content === "string" ? content : JSON.stringify(content), { mode });
  for (const name of ["network", "bin"]) await mkdir(join(folder, name));
  await Promise.all([
    write("containerd.toml", containerdConfig(run)),
    write("kubelet.json", kubeletConfig(run)),
    write("network/10-bridge.conflist", networkConfig(run)),
    write("bin/mount", mountProgram(run), 0o755),
    ...["admin", "controllers", "scheduler", "node"].map(async (name) =>
      write(`${name}.kubeconfig`, await kubeconfigOf(folder, name, "https://127.0.0.1:6443"), 0o600),
    ),
  ]);
}

async function importImages({ images }: Run): Promise<void> {
  const ctr = ["--address", places.containerdSocket, "--namespace", "k8s.io"];
  for (const image of images) {
    await command(join(run.containerd, "usr/bin/ctr"), [...ctr, "images", "import", image], { env });
  }
}

/** The node takes pods, and namespaces get their accounts. */
async function untilUsable(): Promise<void> {
  const api = apiOf(await readFile(join(folder, "admin.kubeconfig"), "utf8"));
  for (const end = Date.now() + 60_000; ; await delay(50)) {
    const { object: node } = await api("GET", pathOf({ name: nodeName }, "Node"));
    const account = await api("GET", pathOf({ namespace: "default", name: "default" }, "ServiceAccount"));
    if (has("Ready")(node) && !node.spec.taints && account.status === 200) return;
    if (Date.now() > end)
      throw new Error(
        `Cannot use the node ${hostname()}: Ready without taints is wanted, is ${JSON.stringify(node?.status)}`,
      );
  }
}
