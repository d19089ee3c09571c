import { mkdir, stat } from "node:fs/promises";
import { join } from "node:path";
import pg from "pg";
import { labConnection } from "../../../deploy/local/lab/postgresql/fill.ts";
import { removeLabServer, startLabServer } from "../../../deploy/local/lab/postgresql/server.ts";
import type { Work } from "../bench.ts";
import { quoted, shell } from "../command.ts";
import { Site } from "../site.ts";
import { sizeRow, timeRow } from "../table.ts";

/** A dump of 300 MB of text, packed and verified. */
export const dump: Work = {
  name: "dump",
  diskBytes: 3e9,
  measure: (bench) =>
    bench.folder("dump", async (folder) => {
      bench.say("making a database of 300 MB");
      const server = await startLabServer({ folder: join(folder, "server") });
      try {
        const database = "bench";
        await sql(await labConnection(server, "postgres"), `CREATE DATABASE ${database}`);
        await sql(await labConnection(server, database), notes(bench.count(290_000)));
        const { host, port, user, passwordFile, bin } = server;
        const site = await Site.lay(join(folder, "site"), "postgresql", {
          host,
          port,
          user,
          passwordFile,
          bin,
          database,
        });
        await site.backUp();
        const ours = async () => {
          await site.clear();
          await bench.settle();
          const run = await site.backUp();
          bench.peak("dump of a database", run.peakBytes);
          return run.seconds;
        };
        const peer = join(folder, "peer.sql.gz");
        const tool = join(bin, "pg_dump");
        const line = `PGPASSWORD=$(cat ${quoted(passwordFile)}) ${quoted(tool)} -h ${host} -p ${port} -U ${user} ${database} | pigz -p2 > ${quoted(peer)}`;
        bench.say("dump, against pg_dump and pigz");
        const pairs = await bench.pairs(bench.rounds, ours, async () => (await shell(line)).seconds);
        bench.rows.push(timeRow("PostgreSQL dump of 300 MB, verified", "pg_dump | pigz -p2", 1, pairs));
        const latest = join(site.nas, "postgresql/backups/latest.sql.gz");
        bench.rows.push(
          sizeRow("dump", "pg_dump | pigz -p2", 1.05, (await stat(latest)).size, (await stat(peer)).size),
        );
      } finally {
        await removeLabServer(server);
        await mkdir(folder, { recursive: true });
      }
    }),
};

/** Notes of a thousand bytes: two of 5,000 paragraphs, whose words are drawn from 300, and 256 digits as of keys. */
const notes = (count: number) => `
  CREATE TABLE words AS SELECT w, substr(md5('word ' || w), 1, 2 + w % 8) || repeat('e', w % 3) AS word FROM generate_series(0, 299) w;
  CREATE TABLE paragraphs AS SELECT p, (SELECT string_agg(word, ' ' ORDER BY n) FROM generate_series(1, 50) n
      JOIN words ON w = ('x' || substr(md5(p || ' ' || n), 1, 7))::bit(28)::int % 300) AS text FROM generate_series(0, 4999) p;
  CREATE TABLE notes (id int PRIMARY KEY, author text, written timestamptz, body text);
  INSERT INTO notes SELECT i, 'author ' || i % 1000, timestamptz '2025-01-01 UTC' + i * interval '1 min',
      concat_ws(E'\\n', a.text, b.text, (SELECT string_agg(md5(i || ' ' || k), '') FROM generate_series(1, 8) k)) FROM generate_series(1, ${count}) i
    JOIN paragraphs a ON a.p = i * 7 % 5000 JOIN paragraphs b ON b.p = i * 1009 % 5000;
  DROP TABLE words; ANALYZE`;

async function sql(connection: pg.ClientConfig, text: string): Promise<void> {
  const client = new pg.Client(connection);
  await client.connect();
  try {
    await client.query(text);
  } finally {
    await client.end();
  }
}
