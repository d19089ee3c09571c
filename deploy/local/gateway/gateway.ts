import type { Server } from "node:http";
import type { AddressInfo } from "node:net";
import { createAdaptorServer, type HttpBindings } from "@hono/node-server";
import { type Context, Hono } from "hono";
import { HTTPException } from "hono/http-exception";
import { Failure } from "../../../shared/failures.ts";
import type { Logger } from "../../../shared/log.ts";
import type { Deployment } from "../../../shared/stack/stack-file.ts";
import { createAsyncQueue } from "./async-queue.ts";
import { callHeaders, createCallFunction, type FetchHandler } from "./call-function.ts";
import { createDeployments, type Deployments } from "./deployments.ts";
import { createFunctionLogs, type FunctionLogs } from "./function-log.ts";
import { systemRoutes } from "./system.ts";

export interface GatewayOptions {
  /** The functions of this clone by name; those that `stack` names as well are deployed. */
  readonly functions: ReadonlyMap<string, FetchHandler>;
  readonly stack: readonly Deployment[];
  /** 0 takes a free one. */
  readonly port: number;
  readonly host?: string;
  /** For `/system`. */
  readonly auth: { readonly user: string; readonly password: string };
  readonly log: Logger;
  readonly now?: () => number;
  /** Where the functions' lines go; the gateway adds one for each call. */
  readonly logs?: FunctionLogs;
  /** For a whole synchronous call, its body included; OpenFaaS's default unless given. */
  readonly timeoutMs?: number;
  readonly secretNames?: () => Promise<string[]>;
  readonly version?: string;
}

export interface Gateway {
  /** @returns "http://127.0.0.1:8080". @throws {Failure} When the port is taken or may not be used. */
  start(): Promise<string>;
  /** Takes no new calls, gives those in progress `graceMs` to end, then cuts them off. */
  stop(graceMs?: number): Promise<void>;
  readonly deployments: Deployments;
}

/** Bodies of asynchronous calls, as OpenFaaS CE's queue takes them. */
const asyncBodyLimitBytes = 256 * 1024;

/** OpenFaaS's gateway, its queue and its REST API, in one process with the functions. */
export function createGateway(options: GatewayOptions): Gateway {
  const { functions, stack, port, host = "127.0.0.1", log, now = Date.now, timeoutMs = 60_000 } = options;
  const { logs = createFunctionLogs({ now }), secretNames = async () => [], version = "" } = options;
  const deployments = createDeployments(
    stack.filter(({ service }) => functions.has(service)),
    now,
  );
  /** Ends what only waits, at once. */
  const stopping = new AbortController();
  /** Cuts off what is still at work when the grace is over. */
  const cutOff = new AbortController();
  const callFunction = createCallFunction({ functions, deployments, logs, now });
  const queue = createAsyncQueue({ callFunction, now, log, signal: cutOff.signal });

  const app = new Hono<{ Bindings: HttpBindings }>();
  app.onError((error, c) => {
    if (error instanceof HTTPException) return error.getResponse();
    log.error({ err: error, path: c.req.path }, "the gateway failed");
    return c.text("Internal Server Error\n", 500);
  });
  app.get("/healthz", (c) => c.text("OK"));
  app.route("/system", systemRoutes({ ...options, deployments, logs, secretNames, version, signal: stopping.signal }));

  const target = (c: Context<{ Bindings: HttpBindings }>) => {
    const { pathname, search } = new URL(c.req.url);
    const [, name = "", path = ""] = /^\/[a-z-]+\/([-\w.]+)(\/.*)?$/s.exec(pathname) ?? [];
    const { remoteAddress = "", remotePort = 0 } = c.env.incoming.socket;
    const from = { remoteAddress: `${remoteAddress}:${remotePort}`, nowMs: now() };
    return {
      call: { name, target: `${path || "/"}${search}`, method: c.req.method },
      ...callHeaders(c.req.raw.headers, from),
    };
  };
  const withHeaders = (response: Response, added: Record<string, string>) => {
    for (const [name, value] of Object.entries(added)) {
      if (!response.headers.has(name)) response.headers.set(name, value);
    }
    return response;
  };

  app.all("/function/:name{[-\\w.]+}/*", async (c) => {
    const { call, headers, answer } = target(c);
    const signal = AbortSignal.any([c.req.raw.signal, cutOff.signal]);
    const breakOff = () => void c.env.outgoing.destroy();
    return withHeaders(
      await callFunction({ ...call, headers, body: c.req.raw.body, timeoutMs, signal, breakOff }),
      answer,
    );
  });
  app.post("/async-function/:name{[-\\w.]+}/*", async (c) => {
    const { call, headers, answer } = target(c);
    const body = await readAtMost(c.req.raw.body, asyncBodyLimitBytes);
    if (!body) return c.text("the body of an asynchronous call may have 256 KB\n", 413);
    const callback = c.req.header("x-callback-url");
    const callbackUrl = callback === undefined ? undefined : URL.parse(callback);
    if (callbackUrl === null || (callbackUrl && !/^https?:$/.test(callbackUrl.protocol))) {
      return c.text("X-Callback-Url: an http or https URL is wanted\n", 400);
    }
    const taken = queue.offer({ ...call, headers, body, ...(callbackUrl && { callbackUrl }) });
    if (!taken) return c.text("Error queuing request: the queue is full\n", 500);
    return c.body(null, 202, answer);
  });
  app.all("/async-function/*", (c) => c.text("Method Not Allowed\n", 405, { Allow: "POST" }));

  const server = createAdaptorServer({ fetch: app.fetch, overrideGlobalObjects: false }) as Server;
  return {
    deployments,
    async start() {
      await new Promise<void>((resolve, reject) => {
        server.once("error", (cause) => reject(cannotListen(cause, host, port)));
        server.listen(port, host, resolve);
      });
      const { address, family, port: actual } = server.address() as AddressInfo;
      return `http://${family === "IPv6" ? `[${address}]` : address}:${actual}`;
    },
    async stop(graceMs = 10_000) {
      stopping.abort();
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      // A connection whose last call ends only now would be kept open for the next one.
      const sweep = setInterval(() => server.closeIdleConnections(), 50);
      const timer = setTimeout(() => {
        cutOff.abort(new DOMException("the gateway is stopping", "AbortError"));
        server.closeAllConnections();
      }, graceMs);
      await Promise.all([closed, queue.stop()]);
      clearTimeout(timer);
      clearInterval(sweep);
    },
  };
}

/** @returns undefined when there is more. */
async function readAtMost(
  body: ReadableStream<Uint8Array> | null,
  limitBytes: number,
): Promise<Uint8Array<ArrayBuffer> | undefined> {
  const chunks: Uint8Array[] = [];
  let sizeBytes = 0;
  for await (const chunk of body ?? []) {
    sizeBytes += chunk.length;
    if (sizeBytes > limitBytes) return undefined;
    chunks.push(chunk);
  }
  return new Uint8Array(Buffer.concat(chunks));
}

function cannotListen(cause: Error, host: string, port: number): Failure {
  const code = (cause as NodeJS.ErrnoException).code;
  const problem = code === "EADDRINUSE" ? "the port is taken" : code === "EACCES" ? "not permitted" : cause.message;
  return new Failure("invalid_config", `Cannot listen on ${host}:${port}: ${problem}`, {
    cause,
    hint: "Stop what listens there, or choose another port: make up PORT=8081",
  });
}
