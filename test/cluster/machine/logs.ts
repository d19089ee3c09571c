import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";

/** The last lines of each program's log, for a report. */
export async function endsOfLogs(folder: string, lines = 15): Promise<string> {
  const names = (await readdir(folder)).filter((name) => name.endsWith(".log")).sort();
  const ends = names.map(async (name) => {
    const text = await readFile(join(folder, name), "utf8");
    return `── ${name}\n${text.trimEnd().split("\n").slice(-lines).join("\n")}`;
  });
  return (await Promise.all(ends)).join("\n");
}
