import { join, resolve } from "node:path";
import { z } from "zod";
import type { AppType, Source } from "../../shared/app.ts";
import { historyNaming } from "../../shared/nas/naming.ts";
import type { DatabaseFile } from "./database-file.ts";

export const Settings = z.strictObject({
  /** The app's data folder (DATA_DIR). */
  data: z.string().default("/app/backend/data"),
  /** The database's file in it. */
  database: z
    .string()
    .regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$/, "a file name of letters, digits, ., - and _")
    .default("webui.db"),
  /** Whether the files that users have uploaded are kept too. */
  uploads: z.boolean().default(false),
  /**
   * Whether the data folder is on a network. A database in WAL mode is then read only while the app is stopped, because
   * SQLite's WAL works on one machine only. "auto" asks the file system.
   */
  network: z.union([z.boolean(), z.literal("auto")]).default("auto"),
  /** How long to wait while the app is writing, in seconds. */
  busyTimeoutSeconds: z.number().min(5).max(600).default(30),
});
export type Settings = z.infer<typeof Settings>;

/** The database as the file system shows it. Nothing of its content is read before something may have changed. */
export interface WebuiSource extends Source {
  readonly file: DatabaseFile;
  readonly fingerprint: string;
  readonly fingerprints: ReadonlyMap<string, string>;
}

export const app: AppType<Settings, WebuiSource> = {
  type: "open-webui",
  title: "Open WebUI",
  settings: Settings,
  place: ({ data, database }) => join(resolve(data), database),
  kubernetes: {
    namespace: "open-webui",
    workload: { kind: "Deployment", name: "open-webui" },
    claim: "open-webui-data",
    mountPath: "/app/backend/data",
    user: "0:0",
  },
  keep: 7,
  artefacts: [
    {
      kind: "database",
      latest: "latest.db",
      naming: historyNaming({ prefix: "webui_", suffix: ".db", join: "_" }),
    },
    {
      kind: "uploads",
      latest: "latest-uploads.tar.gz",
      naming: historyNaming({ prefix: "webui-uploads_", suffix: ".tar.gz", join: "_" }),
    },
  ],
  loadBackup: async () => (await import("./backup.ts")).backup,
  loadRestore: async () => (await import("./restore.ts")).restore,
  loadDrill: async () => (await import("./drill.ts")).drill,
};
