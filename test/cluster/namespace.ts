import { randomBytes } from "node:crypto";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import type { V1Job } from "@kubernetes/client-node";
import { parseAllDocuments } from "yaml";
import { type Answer, done } from "./api.ts";
import type { Cluster } from "./cluster.ts";
import { busybox } from "./images/busybox.ts";
import { apply, type Kind, type Manifest, pathOf } from "./objects.ts";
import { signToken } from "./token.ts";
import { claimOf, type Export, exportOf, type LocalClaim, type LocalOptions } from "./volumes.ts";

/** An object of the API, as far as no type is asked for. */
interface Kubernetes {
  metadata: { name: string; uid: string };
}

/** How an object goes: what it owns behind it, before it, or not at all. */
interface Removal {
  propagation?: "Background" | "Foreground" | "Orphan";
  graceSeconds?: number;
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
    const namespace = new Namespace(cluster, name);
    await done(cluster.api("POST", pathOf({}, "Namespace"), { metadata: { name } }));
    // Pods are refused until their account is there.
    await namespace.until("ServiceAccount", "default", (account) => account !== undefined);
    return namespace;
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
  async apply(what: string | object, manager?: string): Promise<void> {
    const objects = typeof what === "string" ? parseAllDocuments(what).map((document) => document.toJS()) : [what];
    await apply(this.#cluster.api, objects.flat() as Manifest[], { namespace: this.name, manager });
  }

  /** @returns Nothing when it is not there. */
  async get<T = Kubernetes>(kind: Kind, name: string): Promise<T | undefined> {
    const answer = await this.#cluster.api("GET", this.#path(kind, name));
    return answer.status === 404 ? undefined : done(answer);
  }

  /** Those with these labels, such as "app=x,is=y"; all when there are none. */
  async list<T = Kubernetes>(kind: Kind, labels = ""): Promise<T[]> {
    const query = `?labelSelector=${encodeURIComponent(labels)}`;
    return (await done(this.#cluster.api("GET", this.#path(kind) + query))).items;
  }

  /** @param change What is other from now on (RFC 7396). */
  patch(kind: Kind, name: string, change: object, manager = "kubectl"): Promise<Answer["object"]> {
    return done(this.#cluster.api("PATCH", `${this.#path(kind, name)}?fieldManager=${manager}`, change));
  }

  async scale(kind: "Deployment" | "StatefulSet", name: string, replicas: number): Promise<void> {
    await this.patch(kind, name, { spec: { replicas } });
  }

  /** Returns when it is not there any more. One that is not there is none. */
  async delete(kind: Kind, name: string, removal: Removal = {}): Promise<void> {
    const { propagation: propagationPolicy = "Background", graceSeconds: gracePeriodSeconds } = removal;
    const answer = await this.#cluster.api("DELETE", this.#path(kind, name), { propagationPolicy, gracePeriodSeconds });
    if (answer.status !== 404) await done(answer);
    await this.until(kind, name, (there) => there === undefined);
  }

  /**
   * Waits until an object is as it is wanted; it is undefined while it is not there.
   * @throws {Error} After `timeoutMs`, with what happened in the namespace.
   */
  async until<T = Kubernetes>(
    kind: Kind,
    name: string,
    is: (object: T | undefined) => boolean,
    timeoutMs = 60_000,
  ): Promise<void> {
    for (const end = Date.now() + timeoutMs; !is(await this.get<T>(kind, name)); await delay(100)) {
      if (Date.now() < end) continue;
      throw new Error(`${kind} "${name}" is not as it is wanted after ${timeoutMs} ms\n${await this.report()}`);
    }
  }

  /** Waits until there are none with these labels. */
  async untilNone(kind: Kind, labels: string, timeoutMs = 60_000): Promise<void> {
    for (const end = Date.now() + timeoutMs; (await this.list(kind, labels)).length > 0; await delay(100)) {
      if (Date.now() > end) throw new Error(`There is still a ${kind} with ${labels}\n${await this.report()}`);
    }
  }

  #path(kind: Kind, name?: string): string {
    return pathOf({ namespace: this.name, name }, kind);
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
    const said = (job: V1Job | undefined) => (job?.status?.conditions ?? []).filter(({ status }) => status === "True");
    await this.until<V1Job>("Job", name, (job) => said(job).length > 0);
    // "SuccessCriteriaMet" comes before the pod is counted, and before "Complete".
    const types = said(await this.get("Job", name)).map(({ type }) => type);
    const succeeded = types.includes("SuccessCriteriaMet") || types.includes("Complete");
    return { log: await this.logs(`job/${name}`), succeeded };
  }

  /**
   * A token of a service account that ends when it is told: the API gives none for less than ten minutes. The API server goes on
   * taking one that it has seen for ten seconds.
   */
  async token(account: string, lifeSeconds = 3600): Promise<string> {
    const found = await this.get("ServiceAccount", account);
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
    const { api } = this.#cluster;
    await done(api("DELETE", pathOf({ name: this.name }, "Namespace")));
    await done(api("DELETE", `${pathOf({}, "PersistentVolume")}?labelSelector=test%3D${this.name}`));
  }
}

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
