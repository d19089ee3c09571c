import { Hono } from "hono";
import { basicAuth } from "hono/basic-auth";
import { z } from "zod";
import { Deployment } from "../../../shared/stack/stack-file.ts";
import type { FetchHandler } from "./call-function.ts";
import { type Deployments, namespace } from "./deployments.ts";
import type { FunctionLogs, LogLine } from "./function-log.ts";

export interface SystemDeps {
  readonly functions: ReadonlyMap<string, FetchHandler>;
  readonly deployments: Deployments;
  readonly logs: FunctionLogs;
  readonly auth: { readonly user: string; readonly password: string };
  /** Names of the secrets that functions can read. */
  readonly secretNames: () => Promise<string[]>;
  readonly version: string;
  /** Ends followed logs. */
  readonly signal: AbortSignal;
}

const Removal = z.object({ functionName: z.string().min(1), namespace: z.string().optional() });
const LogRequest = z.object({
  name: z.string().min(1),
  /** 0 or less means all. */
  tail: z.coerce.number().int().optional(),
  follow: z.string().optional(),
  since: z.iso.datetime({ offset: true }).optional(),
  namespace: z.string().optional(),
});

/** The REST API under `/system` that faas-cli and the connectors use. */
export function systemRoutes(deps: SystemDeps): Hono {
  const { functions, deployments, logs, auth, secretNames, version, signal } = deps;
  const here = (ns: string | undefined) => ns === undefined || ns === "" || ns === namespace;
  const release = { release: version, sha: "" };

  const app = new Hono();
  app.use(
    basicAuth({
      username: auth.user,
      password: auth.password,
      realm: "Restricted",
      invalidUserMessage: "invalid credentials",
    }),
  );
  app.get("/info", (c) =>
    c.json({
      provider: { provider: "keepsake-local", orchestration: "local", version: release },
      version: { ...release, commit_message: "" },
      arch: process.arch,
    }),
  );
  app.get("/namespaces", (c) => c.json([namespace]));
  app.get("/secrets", async (c) => c.json((await secretNames()).map((name) => ({ name, namespace }))));
  app.on(["POST", "PUT", "DELETE"], "/secrets", (c) =>
    c.text("Cannot change a secret here: the local gateway reads them from files; change the file instead\n", 501),
  );

  app.get("/functions", (c) => c.json(here(c.req.query("namespace")) ? deployments.list() : []));
  app.get("/function/:name", (c) => {
    const found = here(c.req.query("namespace")) && deployments.get(c.req.param("name"));
    return found ? c.json(found) : c.text("function not found\n", 404);
  });
  app.on(["PUT", "POST"], "/functions", async (c) => {
    const parsed = Deployment.safeParse(await c.req.json().catch(() => undefined));
    if (!parsed.success) return c.text(`Cannot deploy: ${z.prettifyError(parsed.error)}\n`, 400);
    const { service, image, namespace: ns } = parsed.data;
    const there = deployments.get(service);
    if (c.req.method === "PUT" && !there) return c.text(`Cannot update "${service}": it is not deployed\n`, 404);
    if (c.req.method === "POST" && there) return c.text(`Cannot deploy "${service}": it is deployed already\n`, 409);
    if (!here(ns)) return c.text(`Cannot deploy into "${ns}": ${namespace} is the only namespace\n`, 400);
    if (!functions.has(service)) {
      const known = [...functions.keys()].join(", ");
      return c.text(
        `Cannot deploy "${service}" from image "${image}": the local gateway runs no images, only this clone's own ` +
          `functions: ${known}\n`,
        400,
      );
    }
    deployments.set(parsed.data);
    return c.body(null, 202);
  });
  app.delete("/functions", async (c) => {
    const parsed = Removal.safeParse(await c.req.json().catch(() => undefined));
    if (!parsed.success) return c.text("Cannot remove: functionName is wanted\n", 400);
    const { functionName, namespace: ns } = parsed.data;
    const removed = here(ns) && deployments.remove(functionName);
    return removed ? c.body(null, 202) : c.text(`Cannot remove "${functionName}": it is not deployed\n`, 404);
  });

  app.get("/logs", (c) => {
    const query = LogRequest.safeParse(c.req.query());
    if (!query.success) return c.text("could not parse the log request\n", 422);
    const { name, tail = 0, since, follow, namespace: ns } = query.data;
    if (!here(ns) || !functions.has(name)) return c.text(`there is no function "${name}"\n`, 404);
    const ended = AbortSignal.any([c.req.raw.signal, signal]);
    const coming = follow === "true" || follow === "1" ? logs.follow(name, ended) : undefined;
    const lines = logs.read({
      name,
      ...(tail > 0 && { tail }),
      ...(since !== undefined && { sinceMs: Date.parse(since) }),
    });
    return c.body(toNdjson(lines, coming), 200, { "Content-Type": "application/x-ndjson" });
  });
  return app;
}

function toNdjson(lines: LogLine[], coming: AsyncIterable<LogLine> | undefined): ReadableStream<Uint8Array> {
  const all = (async function* () {
    yield* lines;
    if (coming) yield* coming;
  })();
  const encoder = new TextEncoder();
  return new ReadableStream({
    async pull(controller) {
      const { done, value } = await all.next();
      if (done) controller.close();
      else controller.enqueue(encoder.encode(`${JSON.stringify(value)}\n`));
    },
    cancel: () => void all.return(),
  });
}
