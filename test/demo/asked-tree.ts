import { readFile } from "node:fs/promises";
import { join } from "node:path";

/** The tree that was asked for, word for word. */
const asked = await readFile(join(import.meta.dirname, "asked-tree.txt"), "utf8");

/** Paths of a drawn tree, without its root; folders end with "/". */
export function pathsOf(lines: readonly string[]): string[] {
  const parents: string[] = [];
  return lines.flatMap((line) => {
    const match = /^((?:│ {3}| {4})*)[├└]── (\S+)/.exec(line);
    if (!match) return [];
    const depth = (match[1] as string).length / 4;
    parents.length = depth;
    parents[depth] = match[2] as string;
    return [parents.join("")];
  });
}

/** What is drawn but was not asked for, and what was asked for but is not drawn. */
export function differences(lines: readonly string[]): { extra: string[]; missing: string[] } {
  const wanted = pathsOf(asked.split("\n"));
  const drawn = pathsOf(lines);
  const matches = (pattern: string, path: string) =>
    pattern === path || new RegExp(`^${pattern.split("*").map(literally).join("[^/]*")}$`).test(path);
  return {
    extra: drawn.filter((path) => !wanted.some((pattern) => matches(pattern, path))),
    missing: wanted.filter((pattern) => !drawn.some((path) => matches(pattern, path))),
  };
}

const literally = (text: string) => text.replaceAll(/[.[\]()+?^$|\\]/g, "\\$&");
