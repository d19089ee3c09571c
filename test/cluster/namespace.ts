import { randomBytes } from "node:crypto";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import type { V1Job } from "@kubernetes/client-node";
import type { Cluster } from "./cluster.ts";
import { busybox } from "./images/busybox.ts";
import { signToken } from "./token.ts";
import { claimOf, type Export, exportOf, type LocalClaim, type LocalOptions } from "./volumes.ts";

/** What `kubectl get -o json` answers, as far as no type is asked for. */
interface Kubernetes {
  metadata: { name: string; uid: string };
}

/** A namespace of one test file, with what tests do in one. */
export class Namespace {
  readonly name: string;
  readonly #cluster: Cluster;

  private constructor(cluster: Cluster, name: string) {
    this.#cluster = cluster;
    this.name = name;
  }

  static async create(cluster: Cluster, purpose: string): Promise<Namespace> {
    const name = `${purpose}-${randomBytes(3).toString("hex")}`;
    await cluster.kubectl("create", "namespace", name);
    // Pods are refused until their account is there.
    await cluster.kubectl("wait", "--namespace", name, "--for=create", "serviceaccount/default", "--timeout=60s");
    return new Namespace(cluster, name);
  }

  /** The folder on this machine for what its volumes hold. */
  get folder(): string {
    return join(this.#cluster.folder, "volumes", this.name);
  }

  kubectl(...args: string[]): Promise<string> {
    return this.#cluster.kubectl("--namespace", this.name, ...args);
  }

  /**
   * Applies YAML, an object or several, on the server, which refuses fields that it does not know. What names no namespace
   * lands in this one.
   */
  async apply(what: string | object): Promise<void> {
    const text = typeof what === "string" ? what : JSON.stringify(listOf(what));
    const apply = ["apply", "--server-side", "--force-conflicts", "--validate=strict", "--filename=-"];
    await this.#cluster.kubectlWith({ stdin: text }, "--namespace", this.name, ...apply);
  }

  /** @returns Nothing when it is not there. */
  async get<T = Kubernetes>(what: string, name: string): Promise<T | undefined> {
    const text = await this.kubectl("get", what, name, "--ignore-not-found", "--output=json");
    return text ? (JSON.parse(text) as T) : undefined;
  }

  /**
   * Waits until `kubectl wait --for=<condition>` agrees, such as "condition=complete" of "job/x", "delete" of "pods --all".
   * @throws {Error} After `timeoutMs`, with what happened in the namespace.
   */
  async until(what: string, condition: string, timeoutMs = 60_000): Promise<void> {
    await this.kubectl("wait", ...what.split(" "), `--for=${condition}`, `--timeout=${timeoutMs}ms`).catch(
      async (cause: Error) => {
        throw new Error(`${cause.message}\n${await this.report()}`, { cause });
      },
    );
  }

  /** What a pod, or the pod of "job/x", has printed up to now. */
  logs(of: string, ...options: string[]): Promise<string> {
    return this.kubectl("logs", of, ...options);
  }

  /**
   * Runs a Job of one pod to its end.
   * @param pod A pod's spec, or its container alone: what is missing is a busybox that is not tried again.
   */
  async runJob(name: string, container: object, pod: object = {}): Promise<{ log: string; succeeded: boolean }> {
    await this.apply(jobOf(name, container, pod));
    await this.until(`job/${name}`, "jsonpath={.status.conditions[?(@.status=='True')].type}");
    const job = await this.get<V1Job>("job", name);
    // "SuccessCriteriaMet" comes before the pod is counted, and before "Complete".
    const succeeded = job?.status?.conditions?.some(({ type }) => type === "SuccessCriteriaMet" || type === "Complete");
    return { log: await this.logs(`job/${name}`), succeeded: succeeded === true };
  }

  /**
   * A token of a service account that ends when it is told: the API gives none for less than ten minutes. The API server goes on
   * taking one that it has seen for ten seconds.
   */
  async token(account: string, lifeSeconds = 3600): Promise<string> {
    const found = await this.get("serviceaccount", account);
    if (!found) throw new Error(`Cannot sign a token: no service account "${account}" in ${this.name}`);
    return signToken(this.#cluster.folder, { namespace: this.name, account, uid: found.metadata.uid, lifeSeconds });
  }

  /** The text of a kubeconfig of a service account. */
  async kubeconfigOf(account: string, lifeSeconds?: number): Promise<string> {
    return this.#cluster.kubeconfigOfToken(await this.token(account, lifeSeconds));
  }

  /**
   * A claim on a folder of the node, as k3s' "local-path" makes them: it is bound to the node, and born with its first pod.
   */
  async localClaim(name: string, options: LocalOptions = {}): Promise<LocalClaim> {
    const folder = join(this.folder, name);
    await mkdir(folder, { recursive: true });
    await this.apply(claimOf({ namespace: this.name, name, folder, node: this.#cluster.node }, options));
    return { claim: name, volume: `${this.name}-${name}`, folder };
  }

  /** A folder that the tests' NFS server exports to this cluster. */
  nfsExport(name: string): Promise<Export> {
    return exportOf(this.#cluster.folder, `/export/${this.name}/${name}`);
  }

  /** What is there and what happened, for whoever has to find out why a test failed. */
  async report(): Promise<string> {
    const parts = await Promise.all([
      this.kubectl("get", "jobs,pods,persistentvolumeclaims", "--output=wide"),
      this.kubectl("get", "events", "--sort-by=.lastTimestamp"),
    ]);
    return parts.join("\n");
  }

  /** Does not wait until all of it has ended. */
  async remove(): Promise<void> {
    await this.#cluster.kubectl("delete", "namespace", this.name, "--wait=false", "--ignore-not-found");
    await this.#cluster.kubectl("delete", "persistentvolume", "--selector", `test=${this.name}`, "--wait=false");
  }
}

const listOf = (what: object) => (Array.isArray(what) ? { apiVersion: "v1", kind: "List", items: what } : what);

function jobOf(name: string, container: object, pod: object): object {
  const containers = [{ name: "main", image: busybox, ...container }];
  const spec = { restartPolicy: "Never", terminationGracePeriodSeconds: 1, containers, ...pod };
  return {
    apiVersion: "batch/v1",
    kind: "Job",
    metadata: { name },
    spec: { backoffLimit: 0, template: { spec } },
  };
}
