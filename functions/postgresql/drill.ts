import { join } from "node:path";
import type { DrillApp, DrillPlace, RunContext } from "../../shared/app.ts";
import { Failure } from "../../shared/failures.ts";
import { requireSpace } from "../../shared/nas/nas.ts";
import type { RestorePoint } from "../../shared/nas/points.ts";
import { requireSame } from "../../shared/run/drill-compare.ts";
import { rows, withConnection } from "./connect.ts";
import { endServer, findServer, serverHome, startServer } from "./drill-server.ts";
import { DumpFacts } from "./facts.ts";
import { contentOf } from "./finish.ts";
import { drillUser, type Settings } from "./settings.ts";

/** An empty server, and what it writes ahead. */
const serverBytes = 128 << 20;

/** Into a server of its own, of the dump's version, which is gone afterwards; production is not asked for anything. */
export const drill: DrillApp<Settings> = {
  remedies: {
    override_needed:
      "If this dump is to be trusted as much as the server's administrator: `drillAsSuperuser: true` in the app's settings.",
  },

  /** With its indexes a database takes about three times its text, and the text ten times the file. */
  neededBytes({ files, manifest }) {
    const { dumpBytes } = DumpFacts.safeParse(manifest?.facts).data ?? {};
    return serverBytes + 3 * (dumpBytes ?? files.reduce((sum, { sizeBytes }) => sum + 10 * sizeBytes, 0));
  },

  async open(ctx, point, scratch) {
    const { serverVersion } = DumpFacts.safeParse(point.manifest?.facts).data ?? {};
    if (ctx.companion !== undefined) return openBeside(ctx, point, ctx.companion, serverVersion);
    const bin = await findServer(
      ctx.settings,
      serverVersion === undefined ? undefined : Number.parseInt(serverVersion, 10),
    );
    const home = await serverHome(scratch);
    const { drillAsSuperuser } = ctx.settings;
    const user = drillUser(ctx.settings);
    const close = () => endServer(ctx, home);
    try {
      await startServer(ctx, home, { bin, user });
      await requireSpace(home.folder, drill.neededBytes(point) - serverBytes, "restore into scratch space");
    } catch (error) {
      await close();
      throw error;
    }
    const noPassword = join(home.folder, "no-password");
    return {
      settings: { ...ctx.settings, host: home.folder, port: 5432, user, passwordFile: noPassword },
      ...(drillAsSuperuser && { allow: ["superuser-owner"] }),
      close,
    };
  },

  async compare({ settings, signal }, { id, manifest }) {
    const { tables = {}, largeObjects, extensions } = DumpFacts.safeParse(manifest?.facts).data ?? {};
    const { database } = settings;
    return withConnection(settings, { database, signal }, async (connection) => {
      const found = await contentOf(connection, Object.keys(tables));
      for (const [table, count] of Object.entries(tables))
        requireSame(id, `rows of ${table}`, count, found.rows[table]);
      if (largeObjects !== undefined) requireSame(id, "large objects", largeObjects, found.largeObjects);
      const there = await rows<{ name: string }>(connection, "SELECT extname AS name FROM pg_extension");
      const lacking = extensions?.filter((name) => !there.some((extension) => extension.name === name)) ?? [];
      requireSame(id, "extensions that are not there", [], lacking);
      const counts = Object.values(tables);
      if (counts.length === 0) return ["it loads to its end; no rows were recorded"];
      return [
        `${counts.length} tables with ${counts.reduce((sum, count) => sum + count, 0)} rows`,
        ...(largeObjects ? [`${largeObjects} large objects`] : []),
      ];
    });
  },

  async endLeft(ctx, scratch) {
    const home = await serverHome(scratch).catch(() => undefined);
    if (home) await endServer(ctx, home);
  },
};

/** On a cluster: an empty server of production's own image runs beside, for this pod alone, and ends with it. */
async function openBeside(
  ctx: RunContext<Settings>,
  point: RestorePoint,
  folder: string,
  dumped: string | undefined,
): Promise<DrillPlace<Settings>> {
  const { drillAsSuperuser, ...settings } = ctx.settings;
  const passwordFile = join(folder, "no-password");
  const there = {
    ...settings,
    drillAsSuperuser,
    host: folder,
    port: 5432,
    user: drillUser(ctx.settings),
    passwordFile,
  };
  const version = await withConnection(there, { database: "postgres", signal: ctx.signal }, async (connection) => {
    const [row] = await rows<{ server_version: string }>(connection, "SHOW server_version");
    return row?.server_version ?? "";
  });
  if (dumped !== undefined && Number.parseInt(version, 10) < Number.parseInt(dumped, 10)) {
    throw new Failure(
      "tool_missing",
      `Cannot drill the dump: a server of version ${Number.parseInt(dumped, 10)} or newer is wanted beside the run, is ${version}`,
      { hint: "Name production's image as the app's kubernetes.companion.image in keepsake.yaml, then: make deploy" },
    );
  }
  await requireSpace(folder, drill.neededBytes(point) - serverBytes, "restore into scratch space");
  return { settings: there, ...(drillAsSuperuser && { allow: ["superuser-owner"] }) };
}
