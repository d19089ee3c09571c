import type { AppType } from "../../shared/app.ts";
import { historyNaming } from "../../shared/nas/naming.ts";
import { Settings } from "./settings.ts";

/** A PostgreSQL database, as a plain dump that any psql can load. */
export const app: AppType<Settings> = {
  type: "postgresql",
  title: "PostgreSQL",
  settings: Settings,
  place: ({ host, port, database }) => `${host}:${port}/${database}`,
  // Reached by its service: nothing is mounted, and nothing stopped. A drill has a server of the same image.
  kubernetes: {
    namespace: "databases",
    user: "1000:1000",
    secrets: { "postgresql-password": "postgresql/postgres-password" },
    companion: { image: "postgres:18-alpine", memory: "1Gi" },
  },
  jobShape: (operation) => (operation === "drill" ? "drill" : undefined),
  keep: 7,
  artefacts: [
    {
      kind: "dump",
      latest: "latest.sql.gz",
      naming: historyNaming({ prefix: "postgresql_", suffix: ".sql.gz", join: "_" }),
    },
  ],
  loadBackup: async () => (await import("./backup.ts")).backup,
  loadRestore: async () => (await import("./restore.ts")).restore,
  loadDrill: async () => (await import("./drill.ts")).drill,
};
