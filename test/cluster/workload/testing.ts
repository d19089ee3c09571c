import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import type { V1Deployment, V1Pod, V1StatefulSet } from "@kubernetes/client-node";
import { connect } from "../../../shared/cluster/client.ts";
import type { Kubernetes } from "../../../shared/cluster/settings.ts";
import { type ClusterWorkloadOptions, clusterWorkload } from "../../../shared/cluster/workload.ts";
import { createStep } from "../../../shared/step.ts";
import type { Cluster } from "../cluster.ts";
import { busybox } from "../images/busybox.ts";
import type { Namespace } from "../namespace.ts";

/** A server as a game is one: it holds a file of its claim open and writes to it all the time. */
const serve = 'exec 3>>/data/log; trap "exit 0" TERM; while :; do echo at work >&3; sleep 0.05; done';

export interface GameOptions {
  kind?: "Deployment" | "StatefulSet";
  replicas?: number;
  labels?: Record<string, string>;
  /** Fields of the pod's spec, and of the workload's. */
  pod?: object;
  spec?: object;
  container?: object;
  podMetadata?: object;
}

export function gameOf(name: string, claim: string, options: GameOptions = {}): object {
  const { kind = "Deployment", replicas = 1, labels = {}, pod = {}, spec = {}, container = {}, podMetadata } = options;
  const volumes = [{ name: "data", persistentVolumeClaim: { claimName: claim } }];
  const main = {
    ...{ name: "game", image: busybox, command: ["sh", "-c", serve] },
    volumeMounts: [{ name: "data", mountPath: "/data" }],
    ...container,
  };
  return {
    apiVersion: "apps/v1",
    kind,
    metadata: { name, labels },
    spec: {
      replicas,
      selector: { matchLabels: { game: name } },
      template: {
        metadata: { labels: { game: name }, ...podMetadata },
        spec: { terminationGracePeriodSeconds: 2, containers: [main], volumes, ...pod },
      },
      ...spec,
    },
  };
}

export interface Game {
  name: string;
  /** The claim's folder on this machine. */
  folder: string;
  live(): Promise<V1Deployment | V1StatefulSet>;
  /** How many pods it is to have, and has ready. */
  replicas(): Promise<[wanted: number, ready: number]>;
  pods(): Promise<string[]>;
  /** Whether it writes to its file now. */
  writes(): Promise<boolean>;
  options(more?: Partial<ClusterWorkloadOptions>): ClusterWorkloadOptions & { steps: string[]; warnings: string[] };
}

/** Installs a game and waits until it is ready. */
export async function installGame(home: Namespace, name: string, options: GameOptions = {}): Promise<Game> {
  const { kind = "Deployment", replicas = 1 } = options;
  const { claim, folder } = await home.localClaim(`${name}-data`);
  await home.apply(gameOf(name, claim, options));
  const live = async () => (await home.get<V1Deployment>(kind, name)) as V1Deployment;
  const logged = () => readFile(join(folder, "log"), "utf8").catch(() => "");
  const game: Game = {
    name,
    folder,
    live,
    async replicas() {
      const { spec, status } = await live();
      return [spec?.replicas ?? 1, status?.readyReplicas ?? 0];
    },
    async pods() {
      // One that has ended may be listed a little longer.
      const over = ({ status }: V1Pod) => status?.phase === "Succeeded" || status?.phase === "Failed";
      const pods = await home.list<V1Pod>("Pod", `game=${name}`);
      return pods.filter((pod) => !over(pod)).map(({ metadata }) => metadata?.name ?? "");
    },
    async writes() {
      const before = (await logged()).length;
      for (let looks = 0; looks < 10; looks += 1) {
        await delay(50);
        if ((await logged()).length > before) return true;
      }
      return false;
    },
    options(more = {}) {
      const [steps, warnings]: [string[], string[]] = [[], []];
      const workload: NonNullable<Kubernetes["workload"]> = { kind, name };
      return {
        app: name,
        at: { namespace: home.name, workload, claim },
        step: createStep({ onStep: (what) => void steps.push(what) }),
        warn: (message) => void warnings.push(message),
        ...more,
        limits: { steady: 200, ...more.limits },
        steps,
        warnings,
      };
    },
  };
  const isReady = (live: V1Deployment | undefined) => live?.status?.readyReplicas === replicas;
  if (replicas > 0) await home.until<V1Deployment>(kind, name, isReady);
  return game;
}

/** The game's workload, as a run has it. */
export const workloadOf = (cluster: Cluster, options: ClusterWorkloadOptions) =>
  clusterWorkload(connect(cluster.config()), options);
