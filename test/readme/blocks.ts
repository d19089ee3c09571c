import { readFile } from "node:fs/promises";
import { join } from "node:path";

export interface Block {
  /** What stands after the three backticks: "sh", "ts". */
  readonly language: string;
  readonly text: string;
  /** The paragraph, heading or list entry right above. */
  readonly above: string;
}

export const readmePath = join(import.meta.dirname, "../../README.md");

/** The README's fenced blocks, in their order. */
export async function blocks(): Promise<Block[]> {
  const readme = await readFile(readmePath, "utf8");
  return [...readme.matchAll(/^```(\w*)\n(.*?)^```$/gms)].map(({ index, 1: language = "", 2: text = "" }) => ({
    language,
    text,
    above: readme.slice(0, index).trimEnd().split("\n\n").at(-1) ?? "",
  }));
}

/**
 * The one block whose paragraph above holds this text.
 * @throws When there is none, or more than one.
 */
export async function blockBelow(above: string): Promise<string> {
  const found = (await blocks()).filter((block) => block.above.includes(above));
  if (found.length !== 1) throw new Error(`One block of the README below "${above}" is wanted, are ${found.length}`);
  return found[0]?.text ?? "";
}

export const linesOfBlock = async (above: string) => (await blockBelow(above)).split("\n");
