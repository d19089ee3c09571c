import type { V1Service } from "@kubernetes/client-node";
import type { Cluster } from "../../cluster.ts";
import { servers, serversImage } from "../../images/servers.ts";
import type { Namespace } from "../../namespace.ts";
import type { Passage } from "../../passage.ts";
import { serve } from "./serve.ts";

export interface ClusterNats {
  readonly home: Namespace;
  /** For the cluster's pods, with user and password. */
  readonly url: string;
  /** For this machine. */
  readonly nearUrl: string;
}

/** A nats-server with JetStream in a pod, which lets in who knows the password. */
export async function startNats(cluster: Cluster, passage: Passage): Promise<ClusterNats> {
  await cluster.load(servers, serversImage);
  const home = await cluster.namespace("nats");
  const [user, password] = ["keepsake", "events-are-not-for-all"];
  const options = ["--jetstream", "--store_dir=/data", `--user=${user}`, `--pass=${password}`, "--http_port=8222"];
  await serve(home, "nats", 4222, {
    container: {
      command: ["nats-server", ...options],
      probe: { httpGet: { path: "/healthz", port: 8222 } },
    },
  });
  const service = await home.get<V1Service>("Service", "nats");
  const near = await passage.into(service?.spec?.clusterIP ?? "", 4222);
  const as = `nats://${user}:${password}`;
  return { home, url: `${as}@nats.${home.name}.svc.cluster.local:4222`, nearUrl: `${as}@127.0.0.1:${near}` };
}
