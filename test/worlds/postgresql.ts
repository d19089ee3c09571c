import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { LabServer } from "../../deploy/local/lab/postgresql/server.ts";
import { Disk } from "../../shared/disk.ts";
import { initNas } from "../../shared/nas/nas.ts";
import { createStep } from "../../shared/step.ts";

/** A NAS and settings for one database of a server: `nas` and `keepsake.yaml` in one folder. */
export async function layDatabaseLab(folder: string, server: LabServer, database = "shared"): Promise<string> {
  await mkdir(join(folder, "nas"), { recursive: true });
  await initNas(join(folder, "nas"), new Disk(createStep()));
  const { host, port, user, passwordFile, bin } = server;
  const postgresql = { host, port, user, passwordFile, bin, database, keep: 2 };
  const config = join(folder, "keepsake.yaml");
  await writeFile(config, JSON.stringify({ nas: "./nas", state: "./state", apps: { postgresql } }));
  return config;
}
