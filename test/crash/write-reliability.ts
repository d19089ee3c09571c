import { readFile, writeFile } from "node:fs/promises";
import {
  forgetRows,
  reliabilityPath,
  rememberedComesBack,
  rememberedOutage,
  rememberedRows,
  withComesBack,
  withOutages,
  withTable,
} from "./reliability.ts";

/* `node write-reliability.ts forget` before the suites, `node write-reliability.ts` after them. */
if (process.argv[2] === "forget") await forgetRows();
else {
  const text = await readFile(reliabilityPath, "utf8");
  const rows = await rememberedRows();
  const today = new Date().toISOString().slice(0, 10);
  const withRuns = withOutages(withTable(text, rows, today), await rememberedOutage(), today);
  await writeFile(reliabilityPath, withComesBack(withRuns, await rememberedComesBack(), today));
  console.log(`docs/reliability.md: ${rows.length} stories`);
}
