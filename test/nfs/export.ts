import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { delimiter, join } from "node:path";
import { Client } from "./client.ts";

/** Whether this machine has what it takes: not every release of Linux does (deploy/local/setup.sh says so). */
export const canExport = ["linux.uml", "ganesha.nfsd"].every((program) =>
  (process.env.PATH ?? "").split(delimiter).some((folder) => existsSync(join(folder, program))),
);

/** Where clients have the export. */
export const mountedAt = "/mnt/nas";

/** Clients by their names: each has a network with the server, of this number. */
const networks = { a: 1, b: 2 } as const;

/** The clients' cables are there before any of them is started. */
const starting = `
folder=$1
ip link set lo up
for number in ${Object.values(networks).join(" ")}; do
  ip tuntap add "tap$number" mode tap
  ip address add "10.99.$number.1/24" dev "tap$number"
  ip link set "tap$number" up
done
# What is exported has to have file handles, which the file systems of containers lack.
mount -t tmpfs tmpfs "$folder/export"
echo ready
exec ganesha.nfsd -F -f "$folder/ganesha.conf" -L "$folder/ganesha.log" -p "$folder/ganesha.pid" >/dev/null
`;

const settings = (folder: string) => `
NFS_CORE_PARAM { Protocols = 4; Enable_NLM = false; Enable_RQUOTA = false; mount_path_pseudo = true; }
NFSv4 { Graceless = true; RecoveryBackend = fs; RecoveryRoot = "${folder}/recovery"; }
EXPORT {
  Export_Id = 1; Path = "${folder}/export"; Pseudo = /export; Protocols = 4;
  Access_Type = RW; Squash = No_Root_Squash; SecType = sys;
  FSAL { Name = VFS; }
}
`;

/** An NFS server (nfs-ganesha) that exports one folder, in a network of its own, with its clients. */
export class NfsExport {
  readonly #folder: string;
  readonly #process: ChildProcess;
  readonly #ended: Promise<unknown>;
  readonly #clients = new Set<Client>();

  private constructor(folder: string, child: ChildProcess) {
    this.#folder = folder;
    this.#process = child;
    this.#ended = once(child, "close");
  }

  /** @param folder For what it writes; the caller removes it. */
  static async start(folder: string): Promise<NfsExport> {
    await mkdir(join(folder, "export"));
    await mkdir(join(folder, "recovery"));
    await writeFile(join(folder, "ganesha.conf"), settings(folder));
    // All of it goes with this process, and with whoever it was started by.
    const namespaces = ["--pdeathsig", "KILL", "unshare", "--net", "--mount", "--pid", "--fork", "--kill-child"];
    const child = spawn("setpriv", [...namespaces, "sh", "-euc", starting, "sh", folder], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    const started = new NfsExport(folder, child);
    await Promise.race([once(child.stdout, "data"), started.#end()]);
    return started;
  }

  /** The exported folder, as the server sees it. */
  get served(): string {
    return join(`/proc/${this.#process.pid}/root`, this.#folder, "export");
  }

  async boot(name: keyof typeof networks): Promise<Client> {
    const number = networks[name];
    const client = Client.start({
      name,
      device: `tap${number}`,
      address: `10.99.${number}.2`,
      server: `10.99.${number}.1`,
      network: `/proc/${this.#process.pid}/ns/net`,
      mountedAt,
      folder: this.#folder,
    });
    this.#clients.add(client);
    await Promise.race([client.ready(), this.#end()]);
    return client;
  }

  async stop(): Promise<void> {
    await Promise.all([...this.#clients].map((client) => client.kill()));
    this.#process.kill("SIGKILL");
    await this.#ended;
  }

  /** @throws {Error} When the server has ended, with what it said. */
  async #end(): Promise<never> {
    await this.#ended;
    const log = await readFile(join(this.#folder, "ganesha.log"), "utf8").catch(() => "");
    throw new Error(`The NFS server has ended:\n${log}`);
  }
}
