import type { V1Deployment, V1Service } from "@kubernetes/client-node";
import type { FetchHandler } from "../../../deploy/local/gateway/call-function.ts";
import { createGateway, type Gateway } from "../../../deploy/local/gateway/gateway.ts";
import { silentLog } from "../../../shared/testing.ts";
import type { Namespace } from "../namespace.ts";
import type { Passage } from "../passage.ts";

export interface ClusterGateway extends Gateway {
  readonly url: string;
}

/**
 * The gateway before the functions of a cluster, in the place of OpenFaaS's: on this machine, with a way to the Service of each
 * function that is there, and known in the cluster as `gateway` of the namespace of OpenFaaS.
 */
export async function gatewayOf(
  passage: Passage,
  { functions, openfaas, password }: { functions: Namespace; openfaas: Namespace; password: string },
): Promise<ClusterGateway> {
  const [deployments, services] = await Promise.all([
    functions.list<V1Deployment>("Deployment"),
    functions.list<V1Service>("Service"),
  ]);
  const handlers = new Map<string, FetchHandler>();
  for (const { metadata, spec } of services)
    handlers.set(metadata?.name ?? "", callOf(await passage.into(spec?.clusterIP ?? "", 8080)));
  const gateway = createGateway({
    functions: handlers,
    // As they stand in the cluster, with what is written on them.
    stack: deployments.map(({ metadata, spec }) => ({
      service: metadata?.name ?? "",
      image: spec?.template.spec?.containers[0]?.image ?? "",
      annotations: metadata?.annotations ?? {},
    })),
    port: 0,
    auth: { user: "admin", password },
    log: silentLog,
  });
  const url = await gateway.start();
  await openfaas.apply(serviceTo(await passage.out(Number(new URL(url).port))));
  return { ...gateway, url };
}

/** Passes a call on to a Service, as it is. Where nobody answers that is a 502, as OpenFaaS's gateway has it. */
export const callOf =
  (port: number): FetchHandler =>
  ({ url, method, headers, body, signal }) => {
    const { pathname, search } = new URL(url);
    // A connection that was kept may be one that the function, or its pod, is just about to end.
    headers.set("connection", "close");
    const init = { method, headers, body, signal, redirect: "manual", duplex: "half" };
    return fetch(`http://127.0.0.1:${port}${pathname}${search}`, init as RequestInit).catch((error: Error) => {
      signal.throwIfAborted();
      return new Response(`nobody answers: ${(error.cause as Error | undefined)?.message ?? error.message}\n`, {
        status: 502,
      });
    });
  };

/** A Service of what is in no pod. */
export const serviceTo = ({ host, port }: { host: string; port: number }) => [
  {
    apiVersion: "v1",
    kind: "Service",
    metadata: { name: "gateway" },
    spec: { ports: [{ name: "http", port: 8080, targetPort: port }] },
  },
  {
    apiVersion: "discovery.k8s.io/v1",
    kind: "EndpointSlice",
    metadata: { name: "gateway", labels: { "kubernetes.io/service-name": "gateway" } },
    addressType: "IPv4",
    ports: [{ name: "http", port, protocol: "TCP" }],
    endpoints: [{ addresses: [host] }],
  },
];
