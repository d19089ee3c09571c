import type { Problem } from "./protocol.ts";

/** A problem that the run has to hear of, thrown inside the SQLite process. */
export class SqliteProblem extends Error {
  readonly kind: Problem["kind"];

  constructor(kind: Problem["kind"], message: string) {
    super(message);
    this.kind = kind;
  }
}

/** Primary result codes of SQLite (sqlite.org/rescode.html); the rest is "unreadable". */
const kinds: Record<number, Problem["kind"]> = { 5: "busy", 6: "busy", 11: "damaged", 13: "full", 26: "damaged" };
/** CANTOPEN, READONLY: a journal or WAL lies there that only somebody who may write can bring in. */
const unsettled: readonly number[] = [8, 14];

/** Whatever was thrown, as a problem. */
export function toProblem(error: unknown): Problem {
  const { message, errcode } = error as Error & { errcode?: unknown };
  if (error instanceof SqliteProblem) return { kind: error.kind, message };
  const primary = typeof errcode === "number" ? errcode & 0xff : 0;
  return { kind: unsettled.includes(primary) ? "unsettled" : (kinds[primary] ?? "unreadable"), message };
}
