import { mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { app } from "../../functions/factorio/app.ts";
import type { RunRequest } from "../../shared/run/description.ts";
import type { Outcome } from "../../shared/run/report.ts";
import { contentHash, expectSoundNas } from "../crash/nas-checks.ts";
import { play } from "../worlds/factorio.ts";
import type { Client } from "./client.ts";
import { mountedAt, type NfsExport } from "./export.ts";

interface Pause {
  /** Right before the first step that matches. */
  at: string;
  /** Is called with that step; the run goes on afterwards. */
  meanwhile(step: string): Promise<void>;
}

/** A home lab with Factorio alone: its saves on this machine, which the clients have as well, its NAS a folder of the export. */
export class NfsLab {
  readonly saves: string;
  readonly #folder: string;
  readonly #nas: string;
  readonly #served: string;
  readonly #contents = new Set<string>();
  #runs = 0;

  private constructor(folder: string, nas: string, served: string) {
    this.saves = join(folder, "saves");
    this.#folder = folder;
    this.#nas = nas;
    this.#served = served;
  }

  /** @param name Of its folder in `folder`, and in the export. */
  static async lay(name: string, folder: string, { served }: NfsExport, client: Client): Promise<NfsLab> {
    const lab = new NfsLab(join(folder, name), join(mountedAt, name), join(served, name));
    await mkdir(lab.saves, { recursive: true });
    await client.ask("mark", { nas: lab.#nas });
    return lab;
  }

  /** Plays until then, and saves. @returns The save's bytes. */
  async play(tick: number): Promise<Buffer> {
    const save = await play(this.#folder, tick);
    this.#contents.add(await contentHash(save));
    return readFile(save);
  }

  /** One run on a client, which keeps what it knows on a disk of its own. */
  async run(client: Client, request: RunRequest, pause?: Pause): Promise<Outcome> {
    const config = join(this.#folder, `keepsake-${client.name}.yaml`);
    const factorio = { saves: this.saves, workload: { stop: "true", start: "true", status: "false" } };
    const state = join(this.#folder, `state-${client.name}`);
    await writeFile(config, JSON.stringify({ nas: this.#nas, state, apps: { factorio } }));
    const order = { config, app: "factorio", runId: `run-${++this.#runs}`, request };
    return client.ask("run", { ...order, ...(pause && { pauseAt: pause.at }) }, pause?.meanwhile);
  }

  backUp(client: Client, pause?: Pause): Promise<Outcome> {
    return this.run(client, { operation: "backup", allow: [] }, pause);
  }

  /** A path of the NAS on the server. */
  onServer(path: string): string {
    return join(this.#served, path);
  }

  /** What a client calls `path`, on the server. */
  servedAs(path: string): string {
    return this.onServer(path.slice(this.#nas.length + 1));
  }

  /** A path of the NAS on a client. */
  onClient(path: string): string {
    return join(this.#nas, path);
  }

  latest(): Promise<Buffer> {
    return readFile(this.onServer("factorio/backups/latest.zip"));
  }

  history(): Promise<string[]> {
    return readdir(this.onServer("factorio/backups/history"));
  }

  /** What must hold on the server at every moment. */
  async expectSound(): Promise<void> {
    await expectSoundNas(this.#served, "factorio", app.artefacts, this.#contents);
  }
}
