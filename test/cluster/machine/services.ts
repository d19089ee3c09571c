import { readFile } from "node:fs/promises";
import type { IncomingMessage } from "node:http";
import { Agent, get } from "node:https";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import type { V1EndpointSliceList, V1Service } from "@kubernetes/client-node";
import type { Resolve } from "./names.ts";
import { placesOf } from "./run.ts";

/**
 * Looks Services up at the API server of this network namespace. While that is down, what it said last counts, as with
 * CoreDNS.
 */
export async function servicesOf(folder: string): Promise<Resolve> {
  const read = (name: string) => readFile(join(placesOf(folder).keys, name));
  const [ca, cert, key] = await Promise.all(["ca.crt", "admin.crt", "admin.key"].map(read));
  const agent = new Agent({ ca, cert, key, keepAlive: true });
  const known = new Map<string, string[] | undefined>();

  const ask = async <T>(path: string): Promise<T | undefined> => {
    const response = await new Promise<IncomingMessage>((resolve, reject) => {
      const request = get({ agent, host: "127.0.0.1", port: 6443, path, timeout: 1000 }, resolve);
      request.once("error", reject).once("timeout", () => request.destroy(new Error("no answer")));
    });
    const body = await text(response);
    if (response.statusCode === 404) return undefined;
    if (response.statusCode !== 200) throw new Error(body);
    return JSON.parse(body) as T;
  };

  const addressesOf = async (service: string, namespace: string, host?: string): Promise<string[] | undefined> => {
    const found = await ask<V1Service>(`/api/v1/namespaces/${namespace}/services/${service}`);
    const address = found?.spec?.clusterIP;
    if (!address) return undefined;
    if (address !== "None") return host === undefined ? [address] : undefined;
    const query = `labelSelector=kubernetes.io%2Fservice-name%3D${service}`;
    const slices = await ask<V1EndpointSliceList>(
      `/apis/discovery.k8s.io/v1/namespaces/${namespace}/endpointslices?${query}`,
    );
    const pods = slices?.items.flatMap((slice) => slice.endpoints ?? []) ?? [];
    const wanted = pods.filter((pod) => (host === undefined ? pod.conditions?.ready : pod.hostname === host));
    return host !== undefined && wanted.length === 0 ? undefined : wanted.flatMap((pod) => pod.addresses);
  };

  return async (...of) => {
    const name = of.join(".");
    const addresses = await addressesOf(...of).catch((error: unknown) => {
      if (known.has(name)) return known.get(name);
      throw error;
    });
    known.set(name, addresses);
    return addresses;
  };
}
