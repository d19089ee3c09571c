import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { loadAppTypes } from "../../functions/types.ts";
import { KubernetesSettings } from "../../shared/cluster/settings.ts";

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
