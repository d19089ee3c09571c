import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { V1Service } from "@kubernetes/client-node";
import pg from "pg";
import { databaseContent } from "../../../../deploy/local/lab/postgresql/compare.ts";
import { fillLabDatabase } from "../../../../deploy/local/lab/postgresql/fill.ts";
import type { Cluster } from "../../cluster.ts";
import { servers, serversImage } from "../../images/servers.ts";
import type { Passage } from "../../passage.ts";
import { serve } from "../servers/serve.ts";
import type { ClusterApp } from "./app.ts";

const database = "shared";
const user = "postgres";
const password = "the-servers-own";

/** Nobody but the cluster reaches it, and it need not survive a power cut. */
const script = `
initdb -D /data/server -U ${user} --pwfile=/secret/postgres-password --auth=scram-sha-256 --encoding=UTF8 --no-sync >/dev/null
echo "host all all all scram-sha-256" >>/data/server/pg_hba.conf
exec postgres -D /data/server -c listen_addresses='*' -c unix_socket_directories=/data -c fsync=off
`;

/** A PostgreSQL server in a pod, with a database of the shapes that real ones have. */
export async function layPostgresql(cluster: Cluster, passage: Passage): Promise<ClusterApp> {
  await cluster.load(servers, serversImage);
  const home = await cluster.namespace("databases");
  await home.apply({
    apiVersion: "v1",
    kind: "Secret",
    metadata: { name: "postgresql" },
    stringData: { "postgres-password": password },
  });
  await serve(home, "postgresql", 5432, {
    container: {
      command: ["sh", "-c", script],
      probe: { exec: { command: ["pg_isready", "--host=127.0.0.1"] } },
      volumeMounts: [{ name: "secret", mountPath: "/secret" }],
    },
    volumes: [{ name: "secret", secret: { secretName: "postgresql" } }],
  });
  const service = await home.get<V1Service>("Service", "postgresql");
  const port = await passage.into(service?.spec?.clusterIP ?? "", 5432);
  await mkdir(home.folder, { recursive: true });
  const passwordFile = join(home.folder, "password");
  await writeFile(passwordFile, password);
  await fillLabDatabase({ host: "127.0.0.1", port, user, passwordFile }, { database, notes: 200 });
  const connection = { host: "127.0.0.1", port, user, password };
  return {
    name: "postgresql",
    home,
    settings: {
      host: `postgresql.${home.name}.svc.cluster.local`,
      kubernetes: { namespace: home.name, companion: { image: servers } },
    },
    content: () => databaseContent({ ...connection, database }),
    async destroy() {
      const client = new pg.Client({ ...connection, database: "postgres" });
      await client.connect();
      await client.query(`DROP DATABASE ${database} WITH (FORCE)`);
      await client.end();
    },
    expectBack: async () => {},
  };
}
