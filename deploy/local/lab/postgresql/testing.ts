import { chmod, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gunzipSync, gzipSync } from "node:zlib";
import pg from "pg";
import { backup } from "../../../../functions/postgresql/backup.ts";
import { DatabaseTarget } from "../../../../functions/postgresql/database-target.ts";
import { Settings } from "../../../../functions/postgresql/settings.ts";
import type { Capture, PointFacts, RunContext, Stage } from "../../../../shared/app.ts";
import { Disk } from "../../../../shared/disk.ts";
import { createLog } from "../../../../shared/log.ts";
import { openReadBack, type ReadBack } from "../../../../shared/nas/read-back.ts";
import type { Override } from "../../../../shared/run/description.ts";
import { createStep } from "../../../../shared/step.ts";
import { verifyOptions, withoutPlaces } from "../../../../shared/testing.ts";
import { fillLabDatabase, labConnection } from "./fill.ts";
import { type LabServer, removeLabServer, startLabServer } from "./server.ts";

/** For the tests: a real server, and runs on it that can be stopped dead. */
export interface TestLab {
  readonly server: LabServer;
  readonly folder: string;
  context(options?: ContextOptions): TestContext;
  /** Sends SQL as the superuser; the rows of the last statement. */
  sql(text: string, database?: string): Promise<Record<string, unknown>[]>;
  connection(database?: string): Promise<pg.ClientConfig>;
  fill(database: string): Promise<void>;
  names(): Promise<string[]>;
  close(): Promise<void>;
}

export interface ContextOptions {
  database?: string;
  allow?: Override[];
  runId?: string;
  now?: number;
  /** Called before each change; throwing stops the run dead: no later change of it happens either. */
  onStep?: (what: string, index: number) => void;
  settings?: Partial<Settings>;
}

export type TestContext = RunContext<Settings> & { warnings: string[]; steps: string[] };

export async function startTestLab(): Promise<TestLab> {
  const folder = await mkdtemp(join(tmpdir(), "keepsake-pg-"));
  // As root the server is another user, who has to get through.
  await chmod(folder, 0o711);
  // PG_BIN tries another version than the installed one.
  const bin = process.env.PG_BIN;
  const server = await startLabServer({
    folder: join(folder, "server"),
    dataFolder: join(folder, "data"),
    volatile: true,
    ...(bin && { bin }),
  });
  const connection = (database = "postgres") => labConnection(server, database);
  const sql = async (text: string, database?: string) => {
    const client = new pg.Client(await connection(database));
    await client.connect();
    try {
      const result: unknown = await client.query(text);
      return ((Array.isArray(result) ? result.at(-1) : result) as pg.QueryResult).rows;
    } finally {
      await client.end();
    }
  };
  return {
    server,
    folder,
    sql,
    connection,
    context: (options) => testContext(server, options),
    fill: (database) => fillLabDatabase(server, { database, notes: 300 }),
    names: async () =>
      (await sql("SELECT datname AS name FROM pg_database ORDER BY 1")).map(({ name }) => String(name)),
    async close() {
      await removeLabServer(server);
      await rm(folder, { recursive: true, force: true });
    },
  };
}

function testContext(server: LabServer, options: ContextOptions = {}): TestContext {
  const { database = "shared", allow = [], runId = "restore-postgresql.1", now = Date.UTC(2025, 11, 19, 18) } = options;
  const steps: string[] = [];
  const warnings: string[] = [];
  let dead: unknown;
  const step = createStep({
    onStep(what) {
      if (dead !== undefined) throw dead;
      steps.push(what);
      try {
        options.onStep?.(what, steps.length - 1);
      } catch (error) {
        dead = error;
        throw error;
      }
    },
  });
  return {
    app: { name: "postgresql", type: "postgresql", title: "PostgreSQL" },
    settings: Settings.parse({
      host: server.host,
      port: server.port,
      passwordFile: server.passwordFile,
      bin: server.bin,
      database,
      ...options.settings,
    }),
    run: {
      id: runId,
      function: "restore-postgresql",
      app: "postgresql",
      request: { operation: "restore", allow },
      startedBy: "test",
      startedAt: new Date(now).toISOString(),
    },
    disk: new Disk(step),
    step,
    log: createLog("test", "silent"),
    signal: new AbortController().signal,
    now: () => now,
    ...withoutPlaces,
    allows: (override) => allow.includes(override),
    progress() {},
    warn: (message) => warnings.push(message),
    warnings,
    steps,
  };
}

/** Backs up a database into a file. */
export async function backUp(
  lab: TestLab,
  name: string,
  options?: ContextOptions,
): Promise<Capture & { path: string }> {
  const ctx = lab.context(options);
  const path = join(lab.folder, name);
  const stage: Stage = { untouched: new Set(), write: (_kind, bytes) => ctx.disk.write(path, bytes) };
  return { ...(await backup.capture(ctx, await backup.examine(ctx), stage)), path };
}

export async function withFiles<T>(
  path: string,
  use: (files: ReadonlyMap<string, ReadBack>) => Promise<T>,
): Promise<T> {
  const file = await openReadBack(path);
  try {
    return await use(new Map([["dump", file]]));
  } finally {
    await file.close();
  }
}

export const verifyFile = (path: string) => withFiles(path, (files) => backup.verify(files, verifyOptions()));

export const pointOf = ({ takenAtMs, facts }: Pick<Capture, "takenAtMs" | "facts">): PointFacts => ({
  id: "20251219-180000",
  takenAtMs,
  ...(facts && { facts }),
});

/** What a restore run does with the target. */
export async function restoreFile(
  ctx: TestContext,
  path: string,
  point: PointFacts = pointOf({ takenAtMs: 0 }),
): Promise<void> {
  const target = new DatabaseTarget(ctx);
  await target.recover();
  await withFiles(path, (files) => target.stage(files, point));
  try {
    await target.swap();
  } catch (error) {
    await target.rollBack();
    throw error;
  }
  await target.commit();
}

/** Writes another dump: a changed copy of one. Its text is given as latin1, so that every byte stays what it is. */
export async function changedCopy(
  lab: TestLab,
  from: string,
  name: string,
  change: (sql: string) => string,
): Promise<string> {
  const path = join(lab.folder, name);
  const sql = gunzipSync(await readFile(from)).toString("latin1");
  await writeFile(path, gzipSync(Buffer.from(change(sql), "latin1")));
  return path;
}
