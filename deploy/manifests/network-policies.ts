import { labels } from "../../shared/cluster/names.ts";
import { type Manifest, object } from "./object.ts";
import { appNamespaces, type Site } from "./site.ts";

const type = ["networking.k8s.io/v1", "NetworkPolicy"] as const;
const namespaceIs = (name: string) => ({
  namespaceSelector: { matchLabels: { "kubernetes.io/metadata.name": name } },
});
const runs = { matchExpressions: [{ key: labels.app, operator: "Exists" }] };

/**
 * Who may come in. What goes out is not restricted: runs speak to the API server, NATS and their app, `notify` to the
 * internet. The export is mounted by the nodes, so no policy of pods is about it: the NAS itself says who may.
 */
export function networkPolicies(site: Site, functionNames: readonly string[]): Manifest[] {
  const { functionNamespace, openfaasNamespace, natsNamespace } = site.cluster;
  return [
    // Whoever reaches a function may start a backup: only the gateway and the connectors do.
    object(type, "keepsake-functions", functionNamespace, {
      spec: {
        podSelector: { matchExpressions: [{ key: "faas_function", operator: "In", values: functionNames }] },
        policyTypes: ["Ingress"],
        ingress: [{ from: [namespaceIs(openfaasNamespace)], ports: [{ protocol: "TCP", port: 8080 }] }],
      },
    }),
    // Nobody has to reach a run.
    ...appNamespaces(site).map((namespace) =>
      object(type, "keepsake-runs", namespace, { spec: { podSelector: runs, policyTypes: ["Ingress"] } }),
    ),
    object(type, "keepsake-nats", natsNamespace, {
      spec: {
        podSelector: { matchLabels: { "app.kubernetes.io/name": "nats" } },
        policyTypes: ["Ingress"],
        ingress: [
          {
            from: [
              ...[functionNamespace, openfaasNamespace].map(namespaceIs),
              ...appNamespaces(site).map((namespace) => ({ ...namespaceIs(namespace), podSelector: runs })),
              // Its own: a cluster of several, and its tools.
              { podSelector: {} },
            ],
          },
        ],
      },
    }),
  ];
}
