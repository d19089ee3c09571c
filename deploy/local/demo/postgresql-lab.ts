import { join } from "node:path";
import pg from "pg";
import { formatBytes } from "../../../shared/words.ts";
import { databaseContent } from "../lab/postgresql/compare.ts";
import { fillLabDatabase, labConnection } from "../lab/postgresql/fill.ts";
import {
  findLabServer,
  type LabServer,
  removeLabServer,
  startLabServer,
  stopLabServer,
} from "../lab/postgresql/server.ts";
import type { Content, LabApp } from "./lab.ts";

const database = "shared";

/** A PostgreSQL server of its own, with a database of the shapes that real ones have. */
export function postgresqlLab(root: string): LabApp {
  const folder = join(root, "postgresql");
  const made = async (): Promise<LabServer> => {
    const server = await findLabServer({ folder });
    if (!server) throw new Error(`Cannot find the lab's PostgreSQL server: "${folder}" was not made by the demo`);
    return server;
  };
  const ask = async (sql: string, inDatabase: string) => {
    const client = new pg.Client(await labConnection(await made(), inDatabase));
    await client.connect();
    try {
      return (await client.query<{ answer: string }>(sql)).rows[0]?.answer ?? "";
    } finally {
      await client.end();
    }
  };

  return {
    title: "PostgreSQL",
    name: "postgresql",

    async make() {
      const server = await startLabServer({ folder });
      await fillLabDatabase(server, { database, notes: 20_000 });
      const { host, port, user, bin } = server;
      // Debian's is found again, after an upgrade too; Homebrew's is not on the PATH.
      const elsewhere = !bin.startsWith("/usr/lib/postgresql/");
      const size = await ask("SELECT pg_database_size(current_database()) AS answer", database);
      const version = await ask("SELECT split_part(current_setting('server_version'), ' ', 1) AS answer", database);
      return {
        settings: { host, port, user, database, passwordFile: "./postgresql/password", ...(elsewhere && { bin }) },
        about: `database "${database}" of ${formatBytes(Number(size))}, version ${version}; its server on ${host}:${port}, data in ${server.folder}`,
      };
    },

    async start() {
      await startLabServer({ folder });
    },

    async stop() {
      const server = await findLabServer({ folder });
      if (server) await stopLabServer(server);
    },

    async remove() {
      const server = await findLabServer({ folder });
      if (server) await removeLabServer(server);
    },

    content: async () => databaseContent(await labConnection(await made(), database)),

    describe: (content) =>
      [
        `${count(content, "rows ")} tables with ${rowsIn(content)} rows`,
        `${count(content, "large object ")} large objects`,
        `${count(content, "sequence ")} sequences`,
        "views, functions, owners, rights",
      ].join(", "),

    async destroy() {
      await ask(`DROP DATABASE ${database} WITH (FORCE)`, "postgres");
      return `DROP DATABASE ${database} WITH (FORCE)`;
    },
  };
}

const count = (content: Content, kind: string) => [...content.keys()].filter((name) => name.startsWith(kind)).length;

function rowsIn(content: Content): number {
  const counts = [...content].map(([name, value]) => (name.startsWith("rows ") ? Number.parseInt(value, 10) : 0));
  return counts.reduce((sum, rows) => sum + rows, 0);
}
