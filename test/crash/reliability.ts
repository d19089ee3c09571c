import { mkdir, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";

/*
 * The table of docs/reliability.md: what `make test-crash` has killed. Each suite writes down its own rows, and
 * write-reliability.ts puts them together once all suites have passed.
 */

const clone = join(import.meta.dirname, "../..");
const folder = join(clone, "build/crash");
export const reliabilityPath = join(clone, "docs/reliability.md");

const CrashRow = z.object({ app: z.string(), story: z.string(), steps: z.number(), killed: z.number() });
export type CrashRow = z.infer<typeof CrashRow>;

/** What the outage suite has come to (test/outage). */
const OutageRow = z.object({
  orders: z.number(),
  kills: z.number(),
  runs: z.number(),
  messages: z.number(),
  answersLost: z.number(),
  toldTwice: z.number(),
  neverTold: z.number(),
});
export type OutageRow = z.infer<typeof OutageRow>;

const outagePath = join(folder, "outage", "row.json");

export async function rememberOutage(row: OutageRow): Promise<void> {
  await mkdir(join(outagePath, ".."), { recursive: true });
  await writeFile(outagePath, JSON.stringify(row));
}

export const rememberedOutage = async () => OutageRow.parse(JSON.parse(await readFile(outagePath, "utf8")));

/** What happened to a run on a cluster, and what became of its app (test/cluster/comes-back). */
const ComesBackRow = z.object({ fault: z.string(), when: z.string(), outcome: z.string(), app: z.string() });
export type ComesBackRow = z.infer<typeof ComesBackRow>;

const comesBack = join(folder, "cluster");

/** @param suite Which of them: its rows of an earlier time go. */
export async function rememberComesBack(suite: string, rows: readonly ComesBackRow[]): Promise<void> {
  await mkdir(comesBack, { recursive: true });
  await writeFile(join(comesBack, `${suite}.json`), JSON.stringify(rows));
}

export async function rememberedComesBack(): Promise<ComesBackRow[]> {
  const names = (await readdir(comesBack)).sort();
  const texts = await Promise.all(names.map((name) => readFile(join(comesBack, name), "utf8")));
  return texts.flatMap((text) => z.array(ComesBackRow).parse(JSON.parse(text)));
}

/** Keeps the rows of one suite; those of an earlier time go. */
export async function rememberRows(rows: readonly CrashRow[]): Promise<void> {
  const [first] = rows;
  if (!first) return;
  await mkdir(folder, { recursive: true });
  // "factorio, on a cluster: a restore" is of another suite than "factorio: a restore".
  const [suite = ""] = first.story.split(":");
  await writeFile(join(folder, `${suite.replace(/[^a-z0-9]+/gi, "-")}.json`), JSON.stringify(rows));
}

export const forgetRows = () => rm(folder, { recursive: true, force: true });

export async function rememberedRows(): Promise<CrashRow[]> {
  const names = (await readdir(folder)).filter((name) => name.endsWith(".json")).sort();
  const rows = await Promise.all(
    names.map(async (name) => z.array(CrashRow).parse(JSON.parse(await readFile(join(folder, name), "utf8")))),
  );
  return rows.flat();
}

/** The text with its table replaced by one of these rows. */
export function withTable(text: string, rows: readonly CrashRow[], date: string): string {
  const total = rows.reduce((sum, { killed }) => sum + killed, 0);
  const table = [
    `${date}: ${rows.length} stories, ${total} kills, each followed by a run that put things in order.`,
    "",
    "| story | changes | killed at |",
    "|---|---:|---:|",
    ...rows.map(({ story, steps, killed }) => `| ${story} | ${steps} | ${killed === steps ? "each" : killed} |`),
  ];
  return withBetween(text, "table", table);
}

/** The text with the outages' table replaced by this row. */
export function withOutages(text: string, row: OutageRow, date: string): string {
  return withBetween(text, "outages", [
    `${date}:`,
    "",
    "| orders | kills | runs that ended meanwhile | messages | answers lost | told twice | never told |",
    "|---:|---:|---:|---:|---:|---:|---:|",
    `| ${row.orders} | ${row.kills} | ${row.runs} | ${row.messages} | ${row.answersLost} | ${row.toldTwice} | ${row.neverTold} |`,
  ]);
}

/** The text with the table of apps that come back replaced by these rows. */
export function withComesBack(text: string, rows: readonly ComesBackRow[], date: string): string {
  return withBetween(text, "comes back", [
    `${date}:`,
    "",
    "| what happened | when | the run | the app |",
    "|---|---|---|---|",
    ...rows.map(({ fault, when, outcome, app }) => `| ${fault} | ${when} | ${outcome} | ${app} |`),
  ]);
}

function withBetween(text: string, mark: string, lines: readonly string[]): string {
  const [before, after] = text.split(new RegExp(`<!-- ${mark} -->[\\s\\S]*<!-- end of ${mark} -->`));
  if (after === undefined) throw new Error(`docs/reliability.md has no place for the ${mark}`);
  return `${before}<!-- ${mark} -->\n${lines.join("\n")}\n<!-- end of ${mark} -->${after}`;
}
