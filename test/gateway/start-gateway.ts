import { pino } from "pino";
import { onTestFinished } from "vitest";
import type { FetchHandler } from "../../deploy/local/gateway/call-function.ts";
import { createGateway, type GatewayOptions } from "../../deploy/local/gateway/gateway.ts";

export const auth = { user: "admin", password: "s3cret" };
const credentials = `Basic ${Buffer.from(`${auth.user}:${auth.password}`).toString("base64")}`;

/** A gateway on a free port with these functions, all in its stack; stopped when the test ends. */
export async function startGateway(functions: Record<string, FetchHandler>, options: Partial<GatewayOptions> = {}) {
  const gateway = createGateway({
    functions: new Map(Object.entries(functions)),
    stack: Object.keys(functions).map((service) => ({ service, image: "ghcr.io/test/image:1" })),
    port: 0,
    auth,
    log: pino({ level: "silent" }),
    ...options,
  });
  const url = await gateway.start();
  onTestFinished(() => gateway.stop(0));
  return {
    gateway,
    url,
    get: (path: string, init?: RequestInit) => fetch(`${url}${path}`, init),
    /** Like faas-cli: with Basic credentials, a body as JSON. */
    system: (path: string, method = "GET", body?: unknown) =>
      fetch(`${url}/system${path}`, {
        method,
        headers: { Authorization: credentials },
        ...(body !== undefined && { body: JSON.stringify(body) }),
      }),
  };
}

/** Answers with what it was sent. */
export const echo: FetchHandler = async (request) => {
  const { pathname, search } = new URL(request.url);
  return Response.json({
    method: request.method,
    target: pathname + search,
    headers: Object.fromEntries(request.headers),
    body: await request.text(),
  });
};

export function deferred<T>() {
  return Promise.withResolvers<T>();
}
