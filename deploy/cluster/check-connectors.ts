import type { V1Deployment } from "@kubernetes/client-node";
import { ask } from "../../shared/cluster/ask.ts";
import type { Cluster } from "../../shared/cluster/client.ts";
import type { Check } from "../cli/checks.ts";
import type { Site } from "../manifests/site.ts";

/** Whether what calls the functions is there, and by every topic that stack.yml has. */
export async function checkConnectors(cluster: Cluster, site: Site, topics: readonly string[]): Promise<Check[]> {
  const namespace = site.cluster.openfaasNamespace;
  const { items } = await ask(`list what runs in "${namespace}"`, () =>
    cluster.apps.listNamespacedDeployment({ namespace }),
  );
  return checkDeployed(items, namespace, topics);
}

/** The same of what is there: by their images, whatever the charts call them. */
export function checkDeployed(all: readonly V1Deployment[], namespace: string, topics: readonly string[]): Check[] {
  return ["cron-connector", "nats-connector"].map((what) => {
    const of = (deployment: V1Deployment) =>
      deployment.spec?.template.spec?.containers.find(({ image }) => image?.includes(`/${what}:`));
    const found = all.find(of);
    if (!found) {
      const remedy = `deploy/values/${what}.yaml begins with the line that installs it.`;
      return { what, ok: false, found: `none is in "${namespace}": its functions are called by nobody`, remedy };
    }
    const name = `${namespace}/${found.metadata?.name}`;
    if (!found.status?.readyReplicas) {
      const remedy = `kubectl describe deployment ${found.metadata?.name} -n ${namespace}`;
      return { what, ok: false, found: `${name} is not up`, remedy };
    }
    if (what === "cron-connector") return { what, ok: true, found: `${name} is up` };
    const bound = (of(found)?.env?.find((one) => one.name === "topics")?.value ?? "").split(",");
    const lacking = topics.filter((topic) => topic !== "cron-function" && !bound.includes(topic));
    if (lacking.length === 0) return { what, ok: true, found: `${name} is up, and bound to every topic` };
    const remedy = "Its topics have to be those of deploy/values/nats-connector.yaml.";
    return { what, ok: false, found: `${name} is not bound to ${lacking.join(", ")}`, remedy };
  });
}
