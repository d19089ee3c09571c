import { createHash, randomUUID } from "node:crypto";
import type { z } from "zod";
import { Failure } from "../failures.ts";
import { BackupRequest, CleanupRequest, RestoreRequest, type RunRequest } from "../run/description.ts";

/** What OpenFaaS takes for an asynchronous call, which is how an event comes. */
export const bodyLimitBytes = 256 << 10;

/** What a function is for, and what a request without a body means. */
export type FunctionKind = "backup" | "restore" | "cleanup";

const requests = { backup: BackupRequest, restore: RestoreRequest, cleanup: CleanupRequest };

/**
 * The body of a POST, checked. Connectors send none, and no content type either: that means what the function is for.
 * So does an event, which wakes a cleanup: whatever it tells, what is removed is found out by looking.
 * @throws {Failure} `invalid_request`, naming each field that is wrong.
 */
export async function readRequest(request: Request, kind: FunctionKind): Promise<RunRequest> {
  const text = await readBody(request, bodyLimitBytes);
  let body: unknown = {};
  if (text.trim() !== "") {
    try {
      body = JSON.parse(text);
    } catch (cause) {
      throw new Failure("invalid_request", `Cannot read the request: JSON is wanted (${(cause as Error).message})`, {
        cause,
      });
    }
  }
  if (typeof body !== "object" || body === null || Array.isArray(body)) {
    throw new Failure("invalid_request", "Cannot read the request: a JSON object is wanted");
  }
  const isWakeUp = kind === "cleanup" && "specversion" in body;
  const parsed = requests[kind].safeParse({ operation: kind, ...(!isWakeUp && body) });
  if (parsed.success) return parsed.data;
  throw new Failure("invalid_request", `Cannot accept the request: ${describe(parsed.error)}`, {
    hint: `For example {"operation": "${kind}"}`,
  });
}

const describe = (error: z.ZodError) =>
  error.issues.map(({ path, message }) => (path.length > 0 ? `${path.join(".")}: ${message}` : message)).join("; ");

/** @throws {Failure} `invalid_request` when it is longer than `limitBytes`; the rest is not read. */
export async function readBody(request: Request, limitBytes: number): Promise<string> {
  if (!request.body) return "";
  const chunks: Uint8Array[] = [];
  let sizeBytes = 0;
  for await (const chunk of request.body as unknown as AsyncIterable<Uint8Array>) {
    sizeBytes += chunk.byteLength;
    if (sizeBytes > limitBytes)
      throw new Failure("invalid_request", `Cannot read the request: at most ${limitBytes} bytes are wanted`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString("utf8");
}

/**
 * The id of the run that a call starts: from the function and the call's own id, so that a second delivery of one call
 * finds the first one's run. A call without an id gets one.
 */
export function runIdOf(functionName: string, request: Request): string {
  const call = request.headers.get("idempotency-key") || request.headers.get("x-call-id") || randomUUID();
  return `${functionName}-${createHash("sha256").update(`${functionName}\n${call}`).digest("hex").slice(0, 16)}`;
}

/** Who asked, for people. What a header says is only told, never trusted. */
export function callerOf(request: Request): string {
  const connector = request.headers.get("x-connector");
  if (connector === "cron-connector") return "cron";
  if (connector !== null) return `event ${request.headers.get("x-topic") ?? ""}`.trim();
  const client = request.headers
    .get("x-keepsake-client")
    ?.replaceAll(/[^\w .:@-]/g, "")
    .slice(0, 80);
  return client || "an HTTP call";
}

/**
 * How long to wait for the outcome, in ms (RFC 7240): 50 s unless told, and never longer, since gateway and faas-cli
 * give up after a minute.
 */
export function waitOf(request: Request): number {
  const prefer = request.headers.get("prefer") ?? "";
  const wait = /(?:^|[,;\s])wait\s*=\s*"?(\d+)/i.exec(prefer)?.[1];
  if (wait === undefined && /(?:^|[,;\s])respond-async(?:$|[,;\s])/i.test(prefer)) return 0;
  return Math.min(wait === undefined ? 50 : Number(wait), 50) * 1000;
}
