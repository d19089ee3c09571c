import { randomUUID } from "node:crypto";
import { type Deployments, localName, namespace } from "./deployments.ts";
import type { FunctionLogs } from "./function-log.ts";

export type FetchHandler = (request: Request) => Promise<Response> | Response;

export interface CallDeps {
  readonly functions: ReadonlyMap<string, FetchHandler>;
  readonly deployments: Deployments;
  readonly logs: FunctionLogs;
  readonly now: () => number;
}

export interface Call {
  /** As the caller wrote it: perhaps with its namespace. */
  readonly name: string;
  /** Path and query for the function: "/runs/1?wait=5". */
  readonly target: string;
  readonly method: string;
  readonly headers: Headers;
  readonly body: ReadableStream<Uint8Array> | Uint8Array<ArrayBuffer> | null;
  /** For the whole response, its body included. */
  readonly timeoutMs: number;
  /** Aborts when nobody waits for the answer any more. */
  readonly signal: AbortSignal;
  /** Breaks the caller's connection in the middle of a body. Without it the body ends with an error. */
  readonly breakOff?: () => void;
}

/** Calls one function with what OpenFaaS's gateway would send it; whatever happens, there is an answer. */
export type CallFunction = (call: Call) => Promise<Response>;

/** They concern one connection only (RFC 9110, 7.6.1), so no proxy passes them on. */
const hopHeaders = [
  "connection", "proxy-connection", "keep-alive", "proxy-authenticate", "proxy-authorization", "te", "trailer",
  "transfer-encoding", "upgrade",
] as const; // biome-ignore format: one line reads better

/**
 * The way to the functions. A function that is not there is 404, one that throws 500, one that has not begun to
 * answer in time 502; an answer that takes longer than that is cut off.
 */
export function createCallFunction({ functions, deployments, logs, now }: CallDeps): CallFunction {
  return async (call) => {
    const name = localName(call.name);
    const handler = name === undefined || !deployments.get(name) ? undefined : functions.get(name);
    if (name === undefined || !handler) {
      return new Response(`error finding function ${call.name}: not found in namespace ${namespace}\n`, {
        status: 404,
      });
    }
    deployments.countInvocation(name);

    const deadline = new AbortController();
    const timer = setTimeout(
      () => deadline.abort(new DOMException(`no answer within ${call.timeoutMs / 1000} s`, "TimeoutError")),
      call.timeoutMs,
    );
    const signal = AbortSignal.any([call.signal, deadline.signal]);
    const startedMs = now();
    const finish = (status: number | string) => {
      clearTimeout(timer);
      logs.append(name, `${call.method} ${call.target} - ${status} - ${((now() - startedMs) / 1000).toFixed(4)}s`);
    };

    try {
      const response = await Promise.race([handler(toRequest(name, call, signal)), aborted(signal)]);
      const headers = new Headers(response.headers);
      for (const header of hopHeaders) headers.delete(header);
      const init = { status: response.status, statusText: response.statusText, headers };
      if (!response.body) {
        finish(response.status);
        return new Response(null, init);
      }
      return new Response(
        bounded(response.body, signal, (cut) => finish(cut ?? response.status), call.breakOff),
        init,
      );
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      const status = signal.aborted ? 502 : 500;
      finish(`${status} ${reason}`);
      return new Response(`error calling function ${name}: ${status === 502 ? reason : "it failed"}\n`, { status });
    }
  };
}

function toRequest(name: string, { target, method, headers, body }: Call, signal: AbortSignal): Request {
  const forwarded = new Headers(headers);
  for (const header of hopHeaders) forwarded.delete(header);
  forwarded.set("host", `${name}.${namespace}:8080`);
  const bodyless = method === "GET" || method === "HEAD" || body === null;
  return new Request(`http://${name}.${namespace}:8080${target}`, {
    method,
    headers: forwarded,
    signal,
    ...(!bodyless && { body, duplex: "half" }),
  } as RequestInit);
}

/** The same bytes until the signal aborts or reading fails. `onEnd` is called once, with the reason if it was cut. */
function bounded(
  body: ReadableStream<Uint8Array>,
  signal: AbortSignal,
  onEnd: (cut?: string) => void,
  breakOff?: () => void,
): ReadableStream<Uint8Array> {
  const reader = body.getReader();
  const ended = new AbortController();
  const end = (error?: unknown) => {
    if (ended.signal.aborted) return;
    ended.abort();
    onEnd(error === undefined ? undefined : `cut off: ${error instanceof Error ? error.message : error}`);
  };
  return new ReadableStream<Uint8Array>({
    start(controller) {
      const cut = () => {
        end(signal.reason);
        if (breakOff) breakOff();
        else controller.error(signal.reason);
        reader.cancel(signal.reason).catch(() => {});
      };
      if (signal.aborted) cut();
      signal.addEventListener("abort", cut, { once: true, signal: ended.signal });
    },
    async pull(controller) {
      try {
        const { done, value } = await reader.read();
        if (ended.signal.aborted) return;
        if (!done) return controller.enqueue(value);
        controller.close();
        end();
      } catch (error) {
        if (ended.signal.aborted) return;
        end(error);
        if (breakOff) breakOff();
        else controller.error(error);
      }
    },
    async cancel(reason) {
      end("nobody waits for it");
      await reader.cancel(reason);
    },
  });
}

function aborted(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    if (signal.aborted) reject(signal.reason);
    signal.addEventListener("abort", () => reject(signal.reason), { once: true });
  });
}

/**
 * What the gateway adds to a call's headers (`MakeCallIDMiddleware`, `buildUpstreamRequest`): an id unless the caller
 * gave one, the time in ns, and where the call came from.
 * @returns The headers for the function, and those of its own that the gateway answers with.
 */
export function callHeaders(
  incoming: Headers,
  from: { remoteAddress: string; nowMs: number },
): { headers: Headers; answer: Record<string, string> } {
  const headers = new Headers(incoming);
  const startTime = `${from.nowMs}000000`;
  const answer: Record<string, string> = { "X-Start-Time": startTime, "X-Served-By": "keepsake-local" };
  if (!headers.get("x-call-id")) {
    answer["X-Call-Id"] = randomUUID();
    headers.set("x-call-id", answer["X-Call-Id"]);
  }
  headers.set("x-start-time", startTime);
  const host = headers.get("host");
  if (host && !headers.get("x-forwarded-host")) headers.set("x-forwarded-host", host);
  if (!headers.get("x-forwarded-for")) headers.set("x-forwarded-for", from.remoteAddress);
  return { headers, answer };
}
