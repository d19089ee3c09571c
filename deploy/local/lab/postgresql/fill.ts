import { readFile } from "node:fs/promises";
import pg from "pg";
import type { LabServer } from "./server.ts";
import { data, databaseProperties, largeObjects, rights, roles, schema } from "./shapes.ts";

/** What a client needs to connect to the lab's server as its superuser. */
export async function labConnection(
  server: Pick<LabServer, "host" | "port" | "user" | "passwordFile">,
  database: string,
) {
  const password = (await readFile(server.passwordFile, "utf8")).trim();
  return { host: server.host, port: server.port, user: server.user, password, database };
}

export interface FillOptions {
  readonly database: string;
  /** How many rows the text-heavy table gets. About 300 bytes each. */
  readonly notes?: number;
}

/**
 * Makes a database of the shapes that real ones have, owned by a role that is no superuser: an enum, a partitioned
 * table, generated columns, arrays, JSON, bytea, odd characters, sequences, views, a materialized view, a trigger,
 * row security, large objects, comments, grants, default privileges, and settings of the database itself.
 */
export async function fillLabDatabase(
  server: Pick<LabServer, "host" | "port" | "user" | "passwordFile">,
  { database, notes = 2000 }: FillOptions,
): Promise<void> {
  await withClient(await labConnection(server, "postgres"), async (client) => {
    await client.query(roles);
    await client.query(`CREATE DATABASE ${pg.escapeIdentifier(database)} TEMPLATE template0 OWNER keeper`);
    await client.query(databaseProperties(pg.escapeIdentifier(database)));
  });
  await withClient(await labConnection(server, database), async (client) => {
    await client.query("CREATE EXTENSION pg_trgm; SET SESSION AUTHORIZATION keeper");
    await client.query(schema);
    await client.query(data(notes));
    await client.query(largeObjects);
    await client.query(rights);
  });
}

async function withClient(options: pg.ClientConfig, use: (client: pg.Client) => Promise<void>): Promise<void> {
  const client = new pg.Client(options);
  await client.connect();
  try {
    await use(client);
  } finally {
    await client.end();
  }
}
