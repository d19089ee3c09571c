import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { KubeConfig } from "@kubernetes/client-node";
import { type Api, apiOf } from "./api.ts";
import { type Connection, openConnection } from "./connection.ts";
import { type CommandOptions, command } from "./install/command.ts";
import { control } from "./machine/control.ts";
import { kubeconfig as kubeconfigText } from "./machine/keys.ts";
import { type ProgramName, programNames } from "./machine/programs.ts";
import { type About, nodeName, placesOf } from "./machine/run.ts";
import { Namespace } from "./namespace.ts";
import { once } from "./once.ts";
import { openPassage, type Passage } from "./passage.ts";

/** One that runs, by its folder. */
export async function openCluster(folder: string): Promise<Cluster> {
  const read = (path: string) => readFile(path, "utf8");
  return new Cluster(JSON.parse(await read(placesOf(folder).about)), apiOf(await read(placesOf(folder).kubeconfig)));
}

/** A cluster that runs, and what tests do with it. */
export class Cluster {
  readonly #about: About;
  readonly #namespaces: Namespace[] = [];
  /** As the administrator has it. */
  readonly api: Api;

  constructor(about: About, api: Api) {
    this.#about = about;
    this.api = api;
  }

  get folder(): string {
    return this.#about.run.folder;
  }

  /** The API, as this machine reaches it. */
  get server(): string {
    return `https://127.0.0.1:${this.#about.port}`;
  }

  /** Path of the administrator's kubeconfig. */
  get kubeconfig(): string {
    return placesOf(this.folder).kubeconfig;
  }

  /** The folder with a log of each program. */
  get logs(): string {
    return placesOf(this.folder).logs;
  }

  /** The name of its node. */
  readonly node = nodeName;

  /** The administrator, for the client library. */
  config(): KubeConfig {
    const config = new KubeConfig();
    config.loadFromFile(this.kubeconfig);
    return config;
  }

  /** @returns What kubectl printed. */
  kubectl(...args: string[]): Promise<string> {
    return this.kubectlWith({}, ...args);
  }

  kubectlWith(options: CommandOptions & { kubeconfig?: string }, ...args: string[]): Promise<string> {
    const { kubeconfig = this.kubeconfig, ...rest } = options;
    // What kubectl remembers of a cluster goes with it.
    const flags = ["--kubeconfig", kubeconfig, "--cache-dir", join(this.folder, "kubectl")];
    return command(join(this.#about.run.kubernetes, "kubectl"), [...flags, ...args], rest);
  }

  /** Runs a program of this machine inside: its network (`iptables`), its mounts, its processes. */
  inside(program: string, ...args: string[]): Promise<string> {
    const namespaces = ["--target", String(this.#about.pid), "--mount", "--net", "--pid", "--uts"];
    return command("nsenter", [...namespaces, "--", program, ...args]);
  }

  /** Ways into its network, and out of it. */
  passage(): Promise<Passage> {
    return openPassage(this.#about.pid);
  }

  /** A fresh one, named after `purpose`; usable when this returns. */
  async namespace(purpose: string): Promise<Namespace> {
    const namespace = await Namespace.create(this, purpose);
    this.#namespaces.push(namespace);
    return namespace;
  }

  /**
   * Makes an image known to the node, unless it is.
   * @param archiveOf Makes its archive, or finds it.
   */
  async load(name: string, archiveOf: (say: (line: string) => void) => Promise<string>): Promise<void> {
    const ctr = ["--address", placesOf(this.folder).containerdSocket, "--namespace", "k8s.io", "images", "import"];
    const known = join(this.folder, "loaded", name.replaceAll("/", "-"));
    // Files that begin at the same time want the same ones.
    await once(known, async () => {
      await command(join(this.#about.run.containerd, "usr/bin/ctr"), [...ctr, await archiveOf(console.warn)]);
    });
  }

  /** SIGKILL: it stays down. `kube-apiserver` and `etcd` lose what they were doing, and nothing that they have confirmed. */
  kill(name: ProgramName): Promise<void> {
    return control(placesOf(this.folder).controlSocket, "kill", name);
  }

  /** Returns when it is ready. */
  start(name: ProgramName): Promise<void> {
    return control(placesOf(this.folder).controlSocket, "start", name);
  }

  /**
   * SIGKILL for all of them at once, then up again. Who was connected comes back by itself, after some seconds of waiting: on
   * k3s, where all are one process, nobody waits, which takes naming all.
   */
  async restart(...names: ProgramName[]): Promise<void> {
    await Promise.all(names.map((name) => this.kill(name)));
    for (const name of programNames) if (names.includes(name)) await this.start(name);
  }

  /** A way of its own to the API, which can be cut. */
  async connection(): Promise<Connection> {
    return openConnection(this.#about.port, await readFile(this.kubeconfig, "utf8"));
  }

  /** The `mount` calls of the kubelet for NFS volumes, oldest first. */
  async nfsMounts(): Promise<string[]> {
    const text = await readFile(placesOf(this.folder).nfsMounts, "utf8").catch(() => "");
    return text.split("\n").filter(Boolean);
  }

  /** A kubeconfig of a bearer of `token`. */
  async kubeconfigOfToken(token: string): Promise<string> {
    const authority = await readFile(join(placesOf(this.folder).keys, "ca.crt"), "base64");
    return kubeconfigText(this.server, authority, { token });
  }

  /** Removes what was made in it. */
  async leave(): Promise<void> {
    await Promise.all(this.#namespaces.splice(0).map((namespace) => namespace.remove()));
  }
}
