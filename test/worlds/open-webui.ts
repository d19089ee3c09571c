import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { type InstallOptions, makeInstall } from "../../deploy/local/lab/open-webui/make-database.ts";
import { Disk } from "../../shared/disk.ts";
import { initNas } from "../../shared/nas/nas.ts";
import { createStep } from "../../shared/step.ts";
import { programPath } from "../programs.ts";

export const webuiServer = programPath("deploy/local/lab/open-webui/server.ts");

/** An Open WebUI home lab in one folder: where things are. */
export const places = (folder: string) => ({
  nas: join(folder, "nas"),
  data: join(folder, "data"),
  database: join(folder, "data/webui.db"),
  uploads: join(folder, "data/uploads"),
  state: join(folder, "state"),
  config: join(folder, "keepsake.yaml"),
  backups: join(folder, "nas/open-webui/backups"),
});

/** Marks the NAS, makes the data, and writes the settings. */
export async function layLab(
  folder: string,
  { settings = {}, ...install }: InstallOptions & { settings?: Record<string, unknown> } = {},
): Promise<void> {
  const { nas, data } = places(folder);
  await mkdir(nas, { recursive: true });
  await initNas(nas, new Disk(createStep()));
  await makeInstall(data, { chats: 20, ...install });
  await configure(folder, settings);
}

/** The settings hold absolute paths, so each copy of a lab gets its own. */
export async function configure(folder: string, settings: Record<string, unknown> = {}): Promise<void> {
  const { data, config } = places(folder);
  const webui = { data, keep: 2, workload: workload(folder), ...settings };
  const config_ = { nas: "./nas", state: "./state", nasTimeoutSeconds: 1, apps: { "open-webui": webui } };
  await writeFile(config, JSON.stringify(config_));
}

export function workload(folder: string, ...options: string[]): Record<string, unknown> {
  const { data } = places(folder);
  const control = (verb: string) => [process.execPath, webuiServer, verb, "--data", data, ...options].join(" ");
  // No node process for a look: it is asked for again and again.
  const pid = `$(sed -n 's/.*"pid":\\([0-9]*\\).*/\\1/p' ${join(folder, "server/server.json")})`;
  return { stop: control("stop"), start: control("start"), status: `kill -0 "${pid}"`, timeoutSeconds: 20 };
}

/** Somebody says something, which is in `title`; in the app's own journal mode. */
export function say(path: string, title: string): void {
  change(path, (db) =>
    db
      .prepare(
        `INSERT INTO chat (id, user_id, title, chat, created_at, updated_at, archived, meta)
           VALUES (lower(hex(randomblob(16))), (SELECT id FROM "user" LIMIT 1), ?, '{}', 1, 1, 0, '{}')`,
      )
      .run(title),
  );
}

export function change(path: string, work: (db: DatabaseSync) => unknown): void {
  const db = new DatabaseSync(path, { enableForeignKeyConstraints: false, timeout: 5000 });
  try {
    work(db);
  } finally {
    db.close();
  }
}

/** Titles of all chats that were said by `say`, sorted. */
export function said(path: string): string[] {
  const db = new DatabaseSync(path, { readOnly: true });
  try {
    const rows = db.prepare("SELECT title FROM chat WHERE created_at = 1 ORDER BY title").all();
    return rows.map(({ title }) => String(title));
  } finally {
    db.close();
  }
}
