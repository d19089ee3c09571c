import type { BackupApp, Capture, RunContext, Source, Stage, Verified } from "../../shared/app.ts";
import { gzipBlocks } from "../../shared/archive/gzip.ts";
import { Failure } from "../../shared/failures.ts";
import { rows, withConnection } from "./connect.ts";
import { countUserRelations, describeDatabase, identityOf, serverVersion } from "./describe.ts";
import { gunzip } from "./dump/gunzip.ts";
import { DumpScan, type DumpSummary, scanDump } from "./dump/scan.ts";
import { dumpIn } from "./dump-file.ts";
import { factsOf, identityOfDump } from "./facts.ts";
import { rememberPacked, summaryOfPacked } from "./packed-dump.ts";
import { dumpOf } from "./pg-dump.ts";
import { clientWarning, findPgDump, type PgDump } from "./pg-tools.ts";
import { type DatabaseFacts, renderPreamble } from "./preamble.ts";
import type { Settings } from "./settings.ts";

interface DatabaseSource extends Source {
  tool: PgDump;
  serverVersion: string;
  facts: DatabaseFacts;
}

export const backup: BackupApp<Settings, DatabaseSource> = {
  async examine(ctx) {
    const { settings, signal } = ctx;
    const tool = await findPgDump(settings);
    const warning = clientWarning(tool);
    if (warning) ctx.warn(warning);
    return withConnection(settings, { database: settings.database, signal }, async (connection) => {
      const server = await serverVersion(connection);
      if (tool.major < Math.floor(server.number / 10_000)) {
        throw new Failure(
          "tool_missing",
          `Cannot dump with pg_dump ${tool.version}: the server's ${server.text} or a newer one is wanted`,
          {
            hint: `Install postgresql-client-${Math.floor(server.number / 10_000)}, or name its folder as the setting "bin".`,
          },
        );
      }
      if ((await countUserRelations(connection)) === 0) {
        throw new Failure("source_empty", `Cannot back up the database "${settings.database}": it holds no table`, {
          hint: "If it was lost, restore it; if it is meant to be empty, there is nothing to back up yet.",
        });
      }
      const mappings = await rows(connection, "SELECT FROM pg_user_mappings WHERE umoptions IS NOT NULL");
      if (mappings.length > 0) {
        ctx.warn(
          `The database "${settings.database}" has ${mappings.length} user mappings for foreign servers: pg_dump writes their passwords into the backup, which everybody who browses the NAS can read`,
        );
      }
      const facts = await describeDatabase(connection, settings.database);
      return {
        identity: identityOf(facts.systemIdentifier, settings.database),
        tool,
        serverVersion: server.text,
        facts,
      };
    });
  },

  async capture(ctx, source, stage): Promise<Capture> {
    const takenAtMs = ctx.now();
    const summary = await writeDump(ctx, source, stage);
    return {
      takenAtMs,
      checksums: new Map([["dump", summary.checksum]]),
      sizeBytes: summary.sizeBytes,
      facts: { ...factsOf(summary), serverVersion: source.serverVersion, clientVersion: source.tool.version },
    };
  },

  async verify(files): Promise<Verified> {
    const file = dumpIn(files);
    const summary = (await summaryOfPacked(file)) ?? (await scanDump(gunzip(file)));
    const identity = identityOfDump(summary);
    return { facts: factsOf(summary), ...(identity && { identity }) };
  },
};

/** pg_dump's text, behind what it leaves out; read by the scan as it passes, then packed on its way to the stage. */
async function writeDump(ctx: RunContext<Settings>, source: DatabaseSource, stage: Stage): Promise<DumpSummary> {
  const scan = new DumpScan();
  let doneBytes = 0;
  async function* text(): AsyncGenerator<Uint8Array> {
    for await (const chunk of dumpText(ctx, source)) {
      await scan.push(chunk);
      doneBytes += chunk.length;
      ctx.progress("dumping", doneBytes);
      yield chunk;
    }
  }
  const packed = gzipBlocks(text(), { level: 3, proven: true, signal: ctx.signal });
  const { sha256 } = await stage.write("dump", packed);
  const summary = await scan.finish().catch((cause) => {
    throw new Failure("source_invalid", `Cannot use what pg_dump wrote: ${cause.message}`, { cause });
  });
  rememberPacked({ summary, sha256 });
  return summary;
}

async function* dumpText(
  { settings, signal }: RunContext<Settings>,
  { tool, facts }: DatabaseSource,
): AsyncGenerator<Buffer> {
  yield Buffer.from(renderPreamble(facts));
  yield* dumpOf(settings, tool, { system: facts.systemIdentifier, encoding: facts.encoding, signal });
}
