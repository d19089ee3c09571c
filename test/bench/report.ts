import type { Bench } from "./bench.ts";
import { markdown, type Row, sizeRow } from "./table.ts";

/** What a runner may take, whatever the size of the data. */
export const memoryLimitBytes = 150e6;

export const memoryRows = (bench: Bench): Row[] =>
  [...bench.peaks]
    .filter(([, bytes]) => bytes > 0)
    .map(([what, bytes]) => sizeRow(`peak memory: ${what}`, "the limit", 1, bytes, memoryLimitBytes));

/** Tables and what they rest on, as Markdown: for the terminal and for the document. */
export function report(bench: Bench, machine: readonly string[]): string {
  const memory = memoryRows(bench);
  const parts = [
    markdown(bench.rows),
    ...(memory.length > 0 ? [markdown(memory)] : []),
    ...(bench.proofs.length > 0 ? [bench.proofs.map((line) => `- ${line}\n`).join("")] : []),
    machine.map((line) => `- ${line}\n`).join(""),
  ];
  return parts.join("\n");
}
