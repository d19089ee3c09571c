import { type Clock, partsIn } from "../../shared/words.ts";

/** Short, and understood by `AT=`: "Thu 18:00" within the last six days, else "2025-12-18 18:00". */
export function formatWhen(ms: number, { nowMs, timeZone }: Clock): string {
  const { weekday, date, time } = partsIn(ms, timeZone);
  const recent = ms <= nowMs && nowMs - ms < 6 * 86_400_000;
  return `${recent ? weekday : date} ${time.slice(0, 5)}`;
}

/** "2025-12-18 17:00:05 UTC" */
export function formatUtc(ms: number): string {
  return `${new Date(ms).toISOString().slice(0, 19).replace("T", " ")} UTC`;
}

/** Columns as wide as their widest cell, two blanks between, nothing after the last. */
export function formatTable(rows: readonly (readonly string[])[]): string[] {
  const widths: number[] = [];
  for (const row of rows) for (const [i, cell] of row.entries()) widths[i] = Math.max(widths[i] ?? 0, cell.length);
  return rows.map((row) =>
    row
      .map((cell, i) => cell.padEnd(widths[i] ?? 0))
      .join("  ")
      .trimEnd(),
  );
}
