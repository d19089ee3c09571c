import { expect, test } from "vitest";
import { metricsText } from "./metrics.ts";
import { app, before, everything, nowMs, scenes, sixApps, view } from "./page/testing.ts";
import type { StatusView } from "./view.ts";

const samples = async (of: StatusView) =>
  new Map(
    [...(await metricsText(of)).matchAll(/^(keepsake_\S+?(?:\{.*\})?) (\S+)$/gm)].map(([, series = "", value]) => [
      series,
      Number(value),
    ]),
  );
const ago = (ms: number) => (nowMs - ms) / 1000;
const hour = 3_600_000;

test("metricsText() tells when backups last went well, last ran, how they ended, and what there is", async () => {
  expect(Object.fromEntries(await samples(scenes.failed!()))).toMatchObject({
    keepsake_view_timestamp_seconds: ago(0),
    keepsake_watch_last_round_timestamp_seconds: ago(4 * 60_000),
    'keepsake_overall_state{level="danger"}': 1,
    'keepsake_overall_state{level="safe"}': 0,
    keepsake_nas_free_bytes: 3.9e11,
    'keepsake_backup_last_success_timestamp_seconds{app="postgresql"}': ago(35 * hour),
    'keepsake_backup_last_attempt_timestamp_seconds{app="postgresql"}': ago(11 * hour),
    'keepsake_backup_last_outcome{app="postgresql",outcome="failed"}': 1,
    'keepsake_backup_last_outcome{app="postgresql",outcome="created"}': 0,
    'keepsake_backup_last_duration_seconds{app="postgresql"}': 8.4,
    'keepsake_backup_expected_interval_seconds{app="postgresql"}': 86_400,
    'keepsake_backup_failures_in_a_row{app="postgresql"}': 2,
    'keepsake_backup_waiting{app="factorio"}': 1,
    'keepsake_restore_points_marked{app="postgresql",mark="damaged"}': 1,
    'keepsake_drill_last_result{app="postgresql",result="failed"}': 1,
    'keepsake_drill_recovery_seconds{app="postgresql"}': 12.4,
    'keepsake_undelivered_outcomes{app="ollama"}': 2,
    'keepsake_undelivered_outcomes{app="sdtd"}': 0,
    'keepsake_conditions{severity="problem"}': 2,
    'keepsake_condition_since_timestamp_seconds{condition="waiting:factorio",app="factorio",severity="warning"}': ago(
      2 * hour,
    ),
  });
});

test("metricsText() gives each restore point that a drill proved, with when", async () => {
  const [factorio] = sixApps().filter(({ app }) => app === "factorio");
  const proven = factorio!.points.filter((point) => point.proven);
  const told = await samples(view());
  expect(proven.length).toBe(2);
  for (const { id } of proven)
    expect(told.get(`keepsake_restore_point_proven_timestamp_seconds{app="factorio",point="${id}"}`)).toBe(
      ago(72 * hour),
    );
});

test("metricsText() has no sample for what nobody knows, rather than a nought", async () => {
  const told = [...(await samples(scenes["never run"]!())).keys()].join("\n");
  for (const unknown of ["nas_reachable", "nas_free_bytes", "last_success", "last_outcome", "drill_last", "size_bytes"])
    expect(told).not.toContain(unknown);
  expect(told).toContain('keepsake_restore_points{app="factorio"}');
});

test("metricsText() says late, also while that backup runs", async () => {
  const late = app("factorio", "Factorio", {
    state: "running",
    lateSince: before(hour),
    running: { runId: "r", operation: "backup", startedAt: before(60_000), startedBy: "cron" },
  });
  const told = await samples(view({ apps: [late] }));
  expect(told.get('keepsake_backup_late{app="factorio"}')).toBe(1);
  expect(told.get('keepsake_run_started_timestamp_seconds{app="factorio",operation="backup"}')).toBe(ago(60_000));
});

test("metricsText() puts exactly one state of each set at 1", async () => {
  const sets = new Map<string, number>();
  for (const [series, value] of await samples(everything())) {
    const set = /^(\w+_(?:state|outcome|result)\{)(.*?)(?:,?(?:state|level|outcome|result)=".*")\}$/.exec(series);
    if (set) sets.set(`${set[1]}${set[2]}}`, (sets.get(`${set[1]}${set[2]}}`) ?? 0) + value);
  }
  expect(sets.size).toBeGreaterThan(20);
  expect([...sets].filter(([, sum]) => sum !== 1)).toEqual([]);
});

test("metricsText() takes titles with quotes and line ends", async () => {
  const told = await metricsText(view({ apps: [app("factorio", 'The "big"\none \\o/')] }));
  expect(told).toContain(String.raw`keepsake_app_info{app="factorio",type="factorio",title="The \"big\"\none \\o/"} 1`);
});
