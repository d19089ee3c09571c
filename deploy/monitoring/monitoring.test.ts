import { execFile } from "node:child_process";
import { mkdtemp, readFile, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { expect, test } from "vitest";
import { stringify } from "yaml";
import { metricsText } from "../../functions/status/metrics.ts";
import { everything, scenes } from "../../functions/status/page/testing.ts";
import { findPromtool } from "../../test/tools/find-program.ts";

const program = await findPromtool();
const read = (name: string) => readFile(join(import.meta.dirname, name), "utf8");
/** @returns What it says. Rejects with that when it has something to complain about. */
async function promtool(args: string[], input = ""): Promise<string> {
  const running = promisify(execFile)(program, args, { cwd: import.meta.dirname });
  running.child.stdin?.end(input);
  const { stdout, stderr } = await running;
  return stdout + stderr;
}

test.each(Object.entries(scenes))("promtool takes the metrics without a word: %s", async (_, scene) => {
  expect(await promtool(["check", "metrics"], await metricsText(scene()))).toBe("");
});

test("promtool finds the rules and the example of a configuration right", async () => {
  expect(await promtool(["check", "rules", "keepsake.rules.yaml"])).toMatch(/SUCCESS: \d+ rules found/);
  expect(await promtool(["check", "config", "prometheus.yaml"])).toContain("SUCCESS: 1 rule files found");
});

test("the alerts fire when they should, and only then", async () => {
  expect(await promtool(["test", "rules", "keepsake.rules.test.yaml"])).toContain("SUCCESS");
});

test("each alert is tried", async () => {
  const alerts = [...(await read("keepsake.rules.yaml")).matchAll(/alert: (\w+)/g)].map(([, name = ""]) => name);
  const tried = await read("keepsake.rules.test.yaml");
  expect(alerts.length).toBeGreaterThan(10);
  expect(alerts.filter((name) => !new RegExp(`\\b${name}\\b`).test(tried))).toEqual([]);
});

/** Labels that may be anything; the values of all others are known. */
const anyValue = new Set<string | undefined>(["app", "operation", "condition"]);

test("rules, their tests and the dashboard name only metrics and labels that there are", async () => {
  const text = await metricsText(everything());
  const samples = new Map<string, string>();
  for (const [, name = "", labels = ""] of text.matchAll(/^(keepsake_\w+)(?:\{(.*)\})? \S+$/gm))
    samples.set(name, (samples.get(name) ?? "") + labels);
  expect([...text.matchAll(/^# TYPE (\w+)/gm)].map(([, name]) => name)).toEqual([...samples.keys()]);
  for (const file of ["keepsake.rules.yaml", "keepsake.rules.test.yaml", "keepsake.dashboard.json"]) {
    const uses = [...(await read(file)).matchAll(/(keepsake_\w+)(?:\{([^}]*)\})?/g)];
    expect(uses.length).toBeGreaterThan(5);
    for (const [, name = "", matchers = ""] of uses) {
      expect([...samples.keys()], file).toContain(name);
      for (const [, label, value = ""] of matchers.matchAll(/(\w+)=~?\\?"([^"\\]*)/g))
        for (const each of value.split("|"))
          expect(samples.get(name), `${file}: ${name}`).toContain(
            anyValue.has(label) ? `${label}="` : `${label}="${each}"`,
          );
    }
  }
});

test("the dashboard asks for what Prometheus understands", async () => {
  const dashboard = JSON.parse(await read("keepsake.dashboard.json"));
  const panels = dashboard.panels as { id: number; title: string; targets: { expr: string }[] }[];
  const asked = panels.flatMap(({ targets }) => targets.map(({ expr }) => expr.replaceAll("$app", ".*")));
  expect(asked.length).toBeGreaterThan(panels.length);
  expect(new Set(panels.map(({ id }) => id)).size).toBe(panels.length);
  const rules = { groups: [{ name: "asked", rules: asked.map((expr, i) => ({ record: `asked_${i}`, expr })) }] };
  const file = join(await mkdtemp(join(tmpdir(), "dashboard-")), "asked.yaml");
  await writeFile(file, stringify(rules));
  expect(await promtool(["check", "rules", file])).toContain(`SUCCESS: ${asked.length} rules found`);
});
