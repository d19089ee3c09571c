import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { functionsRules, type Rule, runnerRules } from "../../deploy/manifests/accounts.ts";
import { siteOf } from "../../deploy/manifests/site.ts";
import { loadAppTypes } from "../../functions/types.ts";
import { KubernetesSettings } from "../../shared/cluster/settings.ts";
import { parseConfig } from "../../shared/config.ts";

const page = await readFile(join(import.meta.dirname, "../../docs/cluster.md"), "utf8");

/** The rows of the table below a heading, by their first cell. */
function tableBelow(heading: string): Map<string, string[]> {
  const section = page.split(`\n## ${heading}\n`)[1]?.split("\n## ")[0] ?? "";
  const rows = section.split("\n").filter((line) => line.startsWith("| `"));
  return new Map(
    rows.map((row) => {
      const [name = "", ...cells] = row.split("|").map((cell) => cell.trim()).slice(1, -1); // biome-ignore format: one line reads better
      return [name.replaceAll("`", ""), cells];
    }),
  );
}

test("docs/cluster.md says where each app is, whom its data belongs to, and what is stopped", async () => {
  const shown = (value: string | undefined) => (value === undefined ? "–" : `\`${value}\``);
  const wanted = (await loadAppTypes()).map(({ type, kubernetes }) => {
    const { namespace, workload, claim, mountPath } = KubernetesSettings.parse(kubernetes);
    const stopped = workload ? `${workload.kind} ${shown(workload.name)}` : "–";
    return [type, [shown(namespace), stopped, shown(claim), shown(mountPath), shown(kubernetes?.user)]];
  });
  expect(wanted).toHaveLength(6);
  expect(Object.fromEntries(tableBelow("The six apps"))).toEqual(Object.fromEntries(wanted));
});

test("docs/cluster.md says what the accounts may do, as their roles do", async () => {
  const { apps } = siteOf(parseConfig("cluster: {}", "/keepsake.yaml", await loadAppTypes()), "");
  const app = apps.find(({ name }) => name === "sdtd");
  if (!app) throw new Error("The app sdtd is wanted");
  const verbsBy = (rules: Rule[]) => {
    const by = new Map<string, string>();
    for (const { resources, verbs } of rules) {
      const [resource = ""] = resources;
      by.set(resource, [by.get(resource), ...verbs].filter(Boolean).join(", "));
    }
    return by;
  };
  const [functions, runs] = [verbsBy(functionsRules(app)), verbsBy(runnerRules(app))];
  const resources = [...new Set([...functions.keys(), ...runs.keys()])];
  const wanted = resources.map((name) => [name, [functions.get(name) ?? "–", runs.get(name) ?? "–"]]);
  const shown = [...tableBelow("Who may what")].map(([name, cells]) => [name, cells.slice(0, 2)]);
  expect(Object.fromEntries(shown)).toEqual(Object.fromEntries(wanted));
});
