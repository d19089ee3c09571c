import { afterAll, beforeAll, expect, test } from "vitest";
import {
  backUp,
  changedCopy,
  pointOf,
  restoreFile,
  startTestLab,
  type TestContext,
  type TestLab,
  withFiles,
} from "../../deploy/local/lab/postgresql/testing.ts";
import type { Capture } from "../../shared/app.ts";
import { killPoints } from "../../test/crash/kill.ts";
import { DatabaseTarget } from "./database-target.ts";

let lab: TestLab;
let saved: Capture & { path: string };

beforeAll(async () => {
  lab = await startTestLab();
  await lab.sql("CREATE ROLE app NOLOGIN");
  await makeProduction("old");
  saved = await backUp(lab, "saved.sql.gz");
}, 60_000);
afterAll(() => lab?.close());

/** Small, so that hundreds of runs are quick; the missing role makes every kind of step happen. */
async function makeProduction(state: string) {
  for (const name of await lab.names()) {
    if (!/^(postgres|template.)$/.test(name)) await lab.sql(`DROP DATABASE "${name}" WITH (FORCE)`);
  }
  await lab.sql("DROP ROLE IF EXISTS app");
  if (state === "gone") return;
  if (state === "old") await lab.sql("CREATE ROLE app NOLOGIN");
  await lab.sql(`CREATE DATABASE shared ${state === "old" ? "OWNER app" : ""}`);
  await lab.sql(`COMMENT ON DATABASE shared IS 'mine'; ALTER DATABASE shared SET timezone TO 'UTC'`);
  await lab.sql(
    `CREATE SCHEMA text${state === "old" ? " AUTHORIZATION app" : ""}; CREATE EXTENSION citext SCHEMA text; CREATE TABLE t (state text.citext);
     INSERT INTO t VALUES ('${state}'), ('${state}'); ${state === "old" ? "ALTER TABLE t OWNER TO app" : ""}`,
    "shared",
  );
}

/** What production says it is, and that it can be used at all. */
async function production(): Promise<string> {
  const rows = await lab.sql("SELECT state FROM t", "shared");
  const [row] = await lab.sql(
    "SELECT shobj_description(oid, 'pg_database') AS said FROM pg_database WHERE datname = 'shared'",
  );
  expect(row).toEqual({ said: "mine" });
  expect(rows).toHaveLength(2);
  return String(rows[0]?.state);
}

const roles = async () =>
  (await lab.sql("SELECT rolname FROM pg_roles WHERE rolname !~ '^pg_' ORDER BY 1")).map(({ rolname }) => rolname);

class Killed extends Error {}

/** Runs something again and again, stopped before one of its changes after another, until it comes through. */
async function killAtSampledSteps(
  prepare: () => Promise<void>,
  run: (ctx: TestContext) => Promise<void>,
  look: (killedAt: string) => Promise<void>,
  again = false,
): Promise<number> {
  const undisturbed = lab.context();
  await prepare();
  await run(undisturbed);
  const { length } = undisturbed.steps;
  for (const [index, n] of killPoints(length, 6).entries()) {
    // What was killed and recovered is as it was before: that is what `look` makes sure of.
    if (index === 0 || again) await prepare();
    let killedAt: string | undefined;
    const ctx = lab.context({
      onStep(what, index) {
        if (index !== n - 1) return;
        killedAt = what;
        throw new Killed(what);
      },
    });
    await run(ctx).catch((error) => {
      if (killedAt === undefined) throw error;
    });
    expect(killedAt, `change ${n} of ${length}`).toBeDefined();
    await new DatabaseTarget(lab.context({ runId: "next.1" })).recover();
    await look(killedAt as string);
    expect(
      (await lab.names()).filter((name) => name.startsWith("keepsake")),
      killedAt,
    ).toEqual([]);
    expect(await new DatabaseTarget(lab.context({ runId: "next.2" })).recover()).toEqual({ action: "nothing" });
  }
  if (again) await prepare();
  await run(lab.context());
  return length;
}

test("recover() leaves production old or new, and nothing else, wherever a restore was killed", async () => {
  const steps = await killAtSampledSteps(
    () => makeProduction("new"),
    (ctx) => restoreFile(ctx, saved.path, pointOf(saved)),
    async (killedAt) => {
      expect(await production(), killedAt).toBe("new");
      expect(await roles(), killedAt).toEqual(["postgres"]);
    },
  );
  expect(steps).toBeGreaterThan(20);
  expect(await production()).toBe("old");
  expect(await roles()).toEqual(["app", "postgres"]);
}, 120_000);

test("recover() leaves nothing of a restore into an empty server that was killed", async () => {
  await killAtSampledSteps(
    () => makeProduction("gone"),
    (ctx) => restoreFile(ctx, saved.path, pointOf(saved)),
    async (killedAt) => {
      expect(await lab.names(), killedAt).not.toContain("shared");
      expect(await roles(), killedAt).toEqual(["postgres"]);
    },
  );
  expect(await production()).toBe("old");
}, 120_000);

test("recover() leaves both states whole, wherever an undo was killed", async () => {
  const undo = async (ctx: TestContext) => {
    const target = new DatabaseTarget(ctx);
    await target.recover();
    const [aside] = await target.asides();
    await target.stageAside(aside as never);
    await target.swap();
    await target.commit();
  };
  await killAtSampledSteps(
    async () => {
      await makeProduction("new");
      await restoreFile(lab.context({ runId: "first.1" }), saved.path, pointOf(saved));
    },
    undo,
    async (killedAt) => {
      expect(await production(), killedAt).toBe("old");
      expect(await new DatabaseTarget(lab.context()).asides(), killedAt).toMatchObject([{ id: "first.1" }]);
    },
  );
  expect(await production()).toBe("new");
}, 120_000);

test("recover() may itself be killed anywhere", async () => {
  await killAtSampledSteps(
    async () => {
      await makeProduction("new");
      const dies = lab.context({
        onStep: (what) => {
          if (what.startsWith("commit")) throw new Killed(what);
        },
      });
      await expect(restoreFile(dies, saved.path, pointOf(saved))).rejects.toThrow(Killed);
    },
    async (ctx) => void (await new DatabaseTarget(ctx).recover()),
    async (killedAt) => expect(await production(), killedAt).toBe("new"),
    true,
  );
  expect(await production()).toBe("new");
}, 120_000);

test("recover() ends what the server still does for a run that died", async () => {
  await makeProduction("new");
  const { default: pg } = await import("pg");
  const { sessionName } = await import("./names.ts");
  const dead = new pg.Client({ ...(await lab.connection()), application_name: sessionName("shared") });
  dead.on("error", () => {});
  await dead.connect();
  await dead.query("BEGIN; ALTER DATABASE shared RENAME TO shared_old_20250101_000000");
  const recovered = new DatabaseTarget(lab.context()).recover();
  await recovered;
  expect(await production()).toBe("new");
  await dead.end().catch(() => {});
});

test("asides() leaves out what somebody has given another name: that is theirs, and is never dropped", async () => {
  await makeProduction("new");
  await restoreFile(lab.context({ runId: "first.1" }), saved.path, pointOf(saved));
  const target = new DatabaseTarget(lab.context());
  const [aside] = await target.asides();
  await lab.sql("ALTER DATABASE shared_old_20251219_180000 RENAME TO shared_for_the_lawyers");
  expect(await target.asides()).toEqual([]);
  await target.removeAside(aside as never);
  expect(await lab.names()).toContain("shared_for_the_lawyers");
  expect(await production()).toBe("old");
});

test("recover() believes no journal that a dump brings as its database's comment", async () => {
  await makeProduction("old");
  const said = { keepsake: 1, run: "evil", at: "2025-01-01T00:00:00Z", database: "shared" };
  for (const comment of [
    { ...said, phase: "swapped", comment: "mine", aside: null },
    { ...said, phase: "swapped", comment: `; ${JSON.stringify({ ...said, phase: "swapped", comment: "mine" })}` },
  ]) {
    await lab.sql(`COMMENT ON DATABASE shared IS 'mine'`);
    const path = await changedCopy(lab, saved.path, "evil.sql.gz", (sql) =>
      sql.replace('"comment":"mine"', `"comment":${JSON.stringify(`; ${JSON.stringify(comment)}`)}`),
    );
    await restoreFile(lab.context({ runId: "first.1" }), path);
    expect(await new DatabaseTarget(lab.context()).recover()).toEqual({ action: "nothing" });
    expect(await production()).toBe("old");
  }
});

test("commit() fails when somebody has undone the swap meanwhile", async () => {
  await makeProduction("new");
  const dies = lab.context({
    onStep: (what) => {
      if (what.startsWith("commit")) throw new Killed(what);
    },
  });
  const target = new DatabaseTarget(lab.context());
  await withFiles(saved.path, (files) => target.stage(files, pointOf(saved)));
  await target.swap();
  await new DatabaseTarget(dies).recover();
  await expect(target.commit()).rejects.toMatchObject({ code: "restore_failed" });
  expect(await production()).toBe("new");
});

test("swap() ends sessions that come again and again, and whoever is set aside keeps what they wrote", async () => {
  await makeProduction("new");
  const { default: pg } = await import("pg");
  const config = await lab.connection("shared");
  let going = true;
  let met = 0;
  const crowd = Promise.all(
    [1, 2, 3].map(async () => {
      while (going) {
        const client = new pg.Client(config);
        client.on("error", () => {});
        await client
          .connect()
          .then(() => client.query("SELECT pg_sleep(0.5)"))
          .catch(() => (met += 1));
        await client.end().catch(() => {});
      }
    }),
  );
  await restoreFile(lab.context({ runId: "first.1" }), saved.path, pointOf(saved));
  going = false;
  await crowd;
  expect(met).toBeGreaterThan(0);
  expect(await production()).toBe("old");
});
