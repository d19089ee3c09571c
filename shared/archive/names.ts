import { Failure } from "../failures.ts";
import { SeenTexts } from "./seen-texts.ts";

const longestName = 255;
const longestPath = 4096;

/**
 * Why a path can be no entry's of an archive: on some system it leads elsewhere, cannot be made, or is not what people
 * see. undefined when it can: relative, "/" between its parts, no "/" at its end.
 */
export function whyNotPath(path: string): string | undefined {
  if (path === "") return "a name is wanted, is empty";
  if (path.startsWith("/")) return "a relative path is wanted, is absolute";
  if (/\p{Cc}/u.test(path)) return "a name without control characters is wanted";
  if (path.includes("\\")) return 'a name without "\\" is wanted';
  if (/\p{Cs}/u.test(path) || path.includes("\ufffd")) return "a name in UTF-8 is wanted";
  const parts = path.split("/");
  if (parts.includes("..")) return 'a path that stays in its folder is wanted, holds ".."';
  if (parts.includes("") || parts.includes(".")) return 'a plain path is wanted, holds an empty part or "."';
  if (Buffer.byteLength(path) > longestPath) return `a path of at most ${longestPath} bytes is wanted`;
  if (parts.some((part) => part.length * 3 > longestName && Buffer.byteLength(part) > longestName)) {
    return `names of at most ${longestName} bytes are wanted`;
  }
  return undefined;
}

/** For messages: what a terminal or a page may show. */
export const shown = (path: string) => JSON.stringify(path.length > 200 ? `${path.slice(0, 200)}…` : path).slice(1, -1);

export const hostile = (archive: string, path: string, why: string) =>
  new Failure("backup_hostile", `Cannot accept "${shown(path)}" in "${archive}": ${why}`, {
    hint: "Keepsake writes no such archive: find out where it comes from. Another restore point may be a good one.",
  });

/**
 * "folded": two names that a Mac or Windows takes for one are one. "exact": only what Linux does.
 */
export type NameRule = "folded" | "exact";

/** The paths of an archive so far, of which no two may be one place; with the folders that they are in. */
export class Names {
  /** Of all paths together: a few deep folders can take a lot of memory. */
  lengthTotal = 0;
  readonly #rule: NameRule;
  /** By the folded path: how a folder is written, and whether the archive has it as an entry. */
  readonly #folders = new Map<string, { readonly path: string; entry: boolean }>();
  /** By their folded paths. */
  readonly #files = new SeenTexts();
  #lastParent = "";

  constructor(rule: NameRule) {
    this.#rule = rule;
  }

  get count(): number {
    return this.#folders.size + this.#files.count;
  }

  /** Adds a path; @returns Why it cannot stand beside those before it. */
  add(path: string, type: "file" | "folder"): string | undefined {
    const slash = path.lastIndexOf("/");
    const parent = slash < 0 ? "" : path.slice(0, slash);
    if (parent !== this.#lastParent) {
      for (let end = path.indexOf("/"); end >= 0; end = path.indexOf("/", end + 1)) {
        const why = this.#addFolder(path.slice(0, end), false);
        if (why !== undefined) return why;
      }
      this.#lastParent = parent;
    }
    if (type === "folder") return this.#addFolder(path, true);
    const key = this.#key(path);
    if (this.#folders.has(key)) return "it is a folder already";
    this.lengthTotal += key.length;
    return this.#files.add(key) ? undefined : "one file of this name is wanted, is there twice";
  }

  #addFolder(path: string, entry: boolean): string | undefined {
    const key = this.#key(path);
    const other = this.#folders.get(key);
    if (other === undefined) {
      if (this.#files.has(key)) return `"${shown(path)}" is a file already`;
      this.lengthTotal += key.length;
      this.#folders.set(key, { path, entry });
      return undefined;
    }
    if (other.path !== path) return `"${shown(other.path)}" is there already, on a Mac the same name`;
    if (entry && other.entry) return "one folder of this name is wanted, is there twice";
    other.entry ||= entry;
    return undefined;
  }

  #key(path: string): string {
    return this.#rule === "exact" ? path : folded(path);
  }
}

/** As file systems that ignore case compare names: decomposed, without case. */
function folded(path: string): string {
  if (/^[\x00-\x7f]*$/.test(path)) return path.toLowerCase();
  return path.normalize("NFD").toUpperCase().toLowerCase().normalize("NFD");
}
