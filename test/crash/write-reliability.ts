import { readFile, writeFile } from "node:fs/promises";
import {
  forgetRows,
  reliabilityPath,
  rememberedOutage,
  rememberedRows,
  withOutages,
  withTable,
} from "./reliability.ts";

/* `node write-reliability.ts forget` before the suites, `node write-reliability.ts` after them. */
if (process.argv[2] === "forget") await forgetRows();
else {
  const text = await readFile(reliabilityPath, "utf8");
  const rows = await rememberedRows();
  const today = new Date().toISOString().slice(0, 10);
  await writeFile(reliabilityPath, withOutages(withTable(text, rows, today), await rememberedOutage(), today));
  console.log(`docs/reliability.md: ${rows.length} stories`);
}
