import { setTimeout as delay } from "node:timers/promises";
import { Failure } from "../failures.ts";
import { parseJson } from "../json.ts";

/** The first wait before a request is tried again, and the longest, in ms. */
const waitMs = { first: 100, most: 2000 };

export interface Patience {
  /** How long it is tried again and again, in ms. */
  readonly withinMs?: number;
  readonly signal?: AbortSignal;
}

/**
 * One request to the API, tried again while the API is away, restarts, is throttling, or does not know a token that is
 * just being renewed. The request may have been carried out although its answer was lost: it must bear being repeated.
 * @param what For people, as in "Cannot <what>".
 * @throws {Failure} `cluster_unreachable` when the time is over, `cluster_refused` (403).
 * @throws {ApiException} With any other status: see `isNotFound`, `isConflict`.
 */
export async function ask<T>(
  what: string,
  request: () => Promise<T>,
  { withinMs = 10_000, signal }: Patience = {},
): Promise<T> {
  const deadline = performance.now() + withinMs;
  for (let tries = 0; ; tries += 1) {
    try {
      return await request();
    } catch (error) {
      const status = statusOf(error);
      if (status === 403) {
        throw new Failure("cluster_refused", `Cannot ${what}: the cluster refuses it: ${apiMessage(error)}`, {
          cause: error,
          hint: "make doctor says what is missing; make deploy installs the roles.",
        });
      }
      if (!isPassing(error, status)) throw error;
      const wait = Math.max(retryAfterMs(error), Math.min(waitMs.first * 2 ** tries, waitMs.most));
      signal?.throwIfAborted();
      if (performance.now() + wait > deadline) {
        throw new Failure(
          "cluster_unreachable",
          `Cannot ${what}: the cluster's API does not answer: ${apiMessage(error)}`,
          {
            cause: error,
            hint: "See whether the API server is up: kubectl get --raw /readyz. Runs go on meanwhile.",
          },
        );
      }
      await delay(wait, undefined, signal && { signal });
    }
  }
}

/** As `ask`, of what need not be there. @returns undefined when it is not. */
export const askIfThere = <T>(what: string, request: () => Promise<T>, patience?: Patience): Promise<T | undefined> =>
  ask<T | undefined>(
    what,
    () =>
      request().catch((error) => {
        if (!isNotFound(error)) throw error;
        return undefined;
      }),
    patience,
  );

/** The HTTP status that the API answered with; undefined when there was no answer. */
function statusOf(error: unknown): number | undefined {
  const { code } = error as { code?: unknown };
  // A `DOMException` has a number of its own: 23 for a timeout.
  return typeof code === "number" && code >= 100 ? code : undefined;
}

export const isNotFound = (error: unknown): boolean => statusOf(error) === 404;

/** Another one is there already, or the object has changed since it was read. */
export const isConflict = (error: unknown): boolean => statusOf(error) === 409;

/** The object is not as the API, or a policy, wants it. */
export const isInvalid = (error: unknown): boolean => statusOf(error) === 422;

/** Status 401: an account's token is read again every minute. */
const passing: ReadonlySet<number> = new Set([401, 408, 429, 500, 502, 503, 504]);

function isPassing(error: unknown, status: number | undefined): boolean {
  if (status !== undefined) return passing.has(status);
  if (!(error instanceof Error)) return false;
  if (error.name === "TimeoutError" || error.name === "AbortError") return true;
  // Connections that fail: what `fetch` says, and what Node itself does.
  return error.message === "fetch failed" || "errno" in error || "syscall" in error || isSocket(error);
}

const isSocket = (error: Error) => {
  const code = String((error as NodeJS.ErrnoException).code ?? "");
  return code.startsWith("UND_ERR_") || code === "ECONNRESET";
};

/** RFC 9110: seconds. */
function retryAfterMs(error: unknown): number {
  const { headers } = error as { headers?: Record<string, string> };
  const seconds = Number(headers?.["retry-after"] ?? 0);
  return Number.isFinite(seconds) ? seconds * 1000 : 0;
}

/** What the API says, else what the connection says. */
export function apiMessage(error: unknown): string {
  const { body, cause } = error as { body?: unknown; cause?: unknown };
  const status = typeof body === "string" ? parseJson(body) : body;
  if (typeof status === "object" && status !== null && "message" in status) return String(status.message);
  if (cause instanceof Error && cause.message !== "") return cause.message;
  return error instanceof Error ? (error.message.split("\n")[0] ?? "") : String(error);
}
