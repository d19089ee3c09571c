import type { Server } from "node:http";
import { createAdaptorServer } from "@hono/node-server";
import type { V1Deployment, V1Service } from "@kubernetes/client-node";
import { Hono } from "hono";
import { afterAll } from "vitest";
import { Deployment } from "../../../shared/stack/stack-file.ts";
import type { Cluster } from "../cluster.ts";
import { deploy } from "../functions/faas-netes.ts";
import { callOf, serviceTo } from "../functions/gateway.ts";
import { busyboxAs } from "../images/busybox.ts";
import type { Namespace } from "../namespace.ts";
import type { Passage } from "../passage.ts";

/** OpenFaaS as `faas-cli` and the connectors have it: what it is asked to deploy becomes pods. */
export interface OpenFaas {
  readonly url: string;
  /** What it was asked under /system, but for lists. */
  readonly asked: string[];
}

/** Opens it, for as long as the test file takes, with both connectors. */
export async function openFaas(
  cluster: Cluster,
  passage: Passage,
  { functions, openfaas, topics }: { functions: Namespace; openfaas: Namespace; topics: string },
): Promise<OpenFaas> {
  const asked: string[] = [];
  const app = new Hono();
  app.get("/system/functions", async (c) => {
    const items = await functions.list<V1Deployment>("Deployment");
    const all = items.map(({ metadata: { name, annotations } = {} }) => JSON.stringify({ name, annotations }));
    return c.text(`[${all.join(",\n")}]\n`);
  });
  app.on(["PUT", "POST"], "/system/functions", async (c) => {
    const fn = Deployment.parse(await c.req.json());
    asked.push(`${c.req.method} ${fn.service} in ${fn.namespace}`);
    if (c.req.method === "PUT" && !(await functions.get("Deployment", fn.service))) return c.body(null, 404);
    await deploy(cluster.api, functions.name, fn);
    return c.body(null, 202);
  });
  app.delete("/system/functions", async (c) => {
    const { functionName: name } = (await c.req.json()) as { functionName: string };
    asked.push(`DELETE ${name}`);
    ways.delete(name);
    for (const kind of ["Deployment", "Service"] as const) await functions.delete(kind, name);
    return c.body(null, 202);
  });
  const ways = new Map<string, ReturnType<typeof callOf>>();
  const wayTo = async (name: string) => {
    const known = ways.get(name);
    if (known) return known;
    const clusterIP = (await functions.get<V1Service>("Service", name))?.spec?.clusterIP;
    const way = clusterIP === undefined ? undefined : callOf(await passage.into(clusterIP, 8080));
    if (way) ways.set(name, way);
    return way;
  };
  app.all("/function/:name/*", async (c) => {
    const { pathname, origin, search } = new URL(c.req.url);
    const [, name = "", path = "/"] = /^\/function\/([-\w]+)(.*)$/.exec(pathname) ?? [];
    const way = await wayTo(name);
    if (!way) return c.text("no such function\n", 404);
    const { method, headers, body, signal } = c.req.raw;
    const init = { method, headers: new Headers(headers), body, signal, duplex: "half" };
    return way(new Request(`${origin}${path}${search}`, init as RequestInit));
  });
  const server = createAdaptorServer({ fetch: app.fetch, overrideGlobalObjects: false }) as Server;
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  afterAll(() => {
    server.closeAllConnections();
    server.close();
  });
  const { port } = server.address() as { port: number };
  await openfaas.apply(serviceTo(await passage.out(port)));
  const connectors = { "cron-connector": scheduling(openfaas, functions), "nats-connector": "exec sleep 3600" };
  for (const [name, script] of Object.entries(connectors)) {
    const image = `keepsake.test/${name}:1`;
    await cluster.load(image, () => busyboxAs(image));
    await openfaas.apply(
      connector(name, { image, command: ["sh", "-c", script], env: [{ name: "topics", value: topics }] }),
    );
  }
  return { url: `http://127.0.0.1:${port}`, asked };
}

/** Says of each function with a schedule once that it was taken up, as the cron-connector does. */
const scheduling = (openfaas: Namespace, functions: Namespace) => `
while sleep 1; do
  for name in $(wget -qO- http://gateway.${openfaas.name}:8080/system/functions |
    sed -n '/"topic":"cron-function"/s/.*"name":"\\([^"]*\\)".*/\\1/p')
  do
    case " $known " in
      *" $name "*) ;;
      *) known="$known $name"; echo "2026/03/01 03:00:00 added function $name in ${functions.name}" ;;
    esac
  done
done`;

const connector = (name: string, container: object) => {
  const labels = { app: name };
  return {
    apiVersion: "apps/v1",
    kind: "Deployment",
    metadata: { name },
    spec: {
      selector: { matchLabels: labels },
      template: {
        metadata: { labels },
        spec: { terminationGracePeriodSeconds: 0, containers: [{ name: "main", ...container }] },
      },
    },
  };
};
