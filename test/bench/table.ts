import { type Pair, summary } from "./statistics.ts";

/** One line of a table: what was measured, against what, and how much it may be. */
export interface Row {
  readonly work: string;
  readonly unit: "seconds" | "bytes";
  readonly ours: number;
  readonly peer: number;
  /** What the peer is: a command, "the limit". */
  readonly against: string;
  readonly ratio: number;
  /** The ratio at most. */
  readonly goal: number;
}

/** A row of rounds. */
export const timeRow = (work: string, against: string, goal: number, pairs: readonly Pair[]): Row => ({
  work,
  unit: "seconds",
  against,
  goal,
  ...summary(pairs),
});

export const sizeRow = (work: string, against: string, goal: number, ours: number, peer: number): Row => ({
  work,
  unit: "bytes",
  ours,
  peer,
  against,
  ratio: ours / peer,
  goal,
});

export const reaches = ({ ratio, goal }: Row): boolean => ratio <= goal;

/** The rows as a Markdown table. */
export function markdown(rows: readonly Row[]): string {
  const lines = rows.map((row) => [
    row.work,
    shown(row.ours, row.unit),
    `${shown(row.peer, row.unit)} \`${row.against}\``,
    digits(row.ratio),
    `at most ${digits(row.goal)}`,
    reaches(row) ? "reached" : "**missed**",
  ]);
  return aligned([["work", "ours", "peer", "ratio", "goal", "verdict"], ...lines]);
}

/** Cells as a Markdown table whose columns also stand in line in a terminal; the first line is the head. */
export function aligned([head = [], ...lines]: readonly (readonly string[])[]): string {
  const escaped = [head, ...lines].map((cells) => cells.map((cell) => cell.replaceAll("|", "\\|")));
  const widths = head.map((_, column) => Math.max(...escaped.map((cells) => cells[column]?.length ?? 0)));
  const line = (cells: readonly string[]) => `| ${cells.map((cell, i) => cell.padEnd(widths[i] ?? 0)).join(" | ")} |\n`;
  const [first = [], ...rest] = escaped;
  return [line(first), line(widths.map((width) => "-".repeat(width))), ...rest.map(line)].join("");
}

/** Two digits that count, more for what is above 100. */
const digits = (value: number) => (value >= 100 ? value.toFixed(0) : value >= 10 ? value.toFixed(1) : value.toFixed(2));

export function shown(value: number, unit: Row["unit"]): string {
  if (unit === "seconds") return value < 10 ? `${value.toFixed(3)} s` : `${value.toFixed(1)} s`;
  if (value >= 1e9) return `${digits(value / 1e9)} GB`;
  if (value >= 1e6) return `${digits(value / 1e6)} MB`;
  return `${digits(value / 1e3)} kB`;
}
