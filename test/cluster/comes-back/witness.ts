import { readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { V1Deployment, V1Pod } from "@kubernetes/client-node";
import { expect } from "vitest";
import { busybox } from "../images/busybox.ts";
import type { Namespace } from "../namespace.ts";

/**
 * A server that holds its data open, and bears witness when somebody changes it under its feet: it compares what is
 * there with what it found when it started, also while it is ending.
 */
const witnessing = ({ look, hold, refuses = "/nothing", endsAfterSeconds = 0.3 }: WitnessOptions) => `
cd /lab
[ ! -e ${refuses} ] || exit 1
look() { ${look}; }
set -- ${hold}
exec 3<"$1" 4>>witness.log
seen=$(look)
check() { [ "$(look)" = "$seen" ] || { echo "$seen"; echo became; look; } >>touched; }
ending() {
  for i in $(seq ${Math.round(endsAfterSeconds * 10)}); do [ ! -e over ] || exit 0; check; sleep 0.1; done
  while [ -e stay ]; do check; sleep 0.1; done
  exit 0
}
trap ending TERM
touch /tmp/ready
while :; do echo at work >&4; check; sleep 0.1; done
`;

export interface WitnessOptions {
  /** A command that prints what must not change, in the folder. */
  readonly look: string;
  /** A file in it, or a pattern of files, of which the first is held open. */
  readonly hold: string;
  /** It does not start while there is such a file. */
  readonly refuses?: string;
  /** How long it takes to end. */
  readonly endsAfterSeconds?: number;
}

export interface Witness {
  readonly name: string;
  /** How many pods it is to have, and has ready. */
  replicas(): Promise<[wanted: number, ready: number]>;
  /** Whether a pod of it is there that has not ended. */
  isUp(): Promise<boolean>;
  /** It is up as before, nobody remembers a stop, and nobody has touched its data while it ran. */
  expectBack(): Promise<void>;
  /** Lets something happen to its data, and starts it again; whether it comes up with that is its own business. */
  meanwhileDown(what: () => Promise<void>): Promise<void>;
  /** It does not end before it is let go, within the grace of its pod. */
  stay(): Promise<{ letGo(): Promise<void> }>;
  /** Returns when it has ended, at once, and writes no more. */
  remove(): Promise<void>;
}

let count = 0;

/** Starts one over a folder of this machine, in one pod. */
export async function startWitness(home: Namespace, folder: string, options: WitnessOptions): Promise<Witness> {
  count += 1;
  const name = `witness-${count}`;
  const labels = { game: name };
  const container = {
    ...{ name: "game", image: busybox, command: ["sh", "-c", witnessing(options)] },
    // Asked until it is ready, and not for ever: to start a process in a container costs a twentieth of a second of a core.
    startupProbe: { exec: { command: ["test", "-f", "/tmp/ready"] }, periodSeconds: 1, failureThreshold: 60 },
    volumeMounts: [{ name: "lab", mountPath: "/lab" }],
  };
  const volumes = [{ name: "lab", hostPath: { path: folder, type: "Directory" } }];
  for (const left of ["touched", "over"]) await rm(join(folder, left), { force: true });
  await home.apply({
    apiVersion: "apps/v1",
    kind: "Deployment",
    metadata: { name },
    spec: {
      selector: { matchLabels: labels },
      strategy: { type: "Recreate" },
      template: { metadata: { labels }, spec: { terminationGracePeriodSeconds: 30, containers: [container], volumes } },
    },
  });
  const live = async () => (await home.get<V1Deployment>("Deployment", name)) as V1Deployment;
  const replicas = async (): Promise<[number, number]> => {
    const { spec, status } = await live();
    return [spec?.replicas ?? 1, status?.readyReplicas ?? 0];
  };
  await home.until<V1Deployment>("Deployment", name, (live) => live?.status?.readyReplicas === 1);
  return {
    name,
    replicas,
    async isUp() {
      const pods = await home.list<V1Pod>("Pod", `game=${name}`);
      return pods.some(({ status }) => status?.phase !== "Succeeded" && status?.phase !== "Failed");
    },
    async expectBack() {
      expect(await replicas(), "the app came back").toEqual([1, 1]);
      expect((await live()).metadata?.annotations, "no stop is remembered").not.toHaveProperty([
        "keepsake.dev/stopped",
      ]);
      expect(await readFile(join(folder, "touched"), "utf8").catch(() => ""), "its data was its own").toBe("");
    },
    async meanwhileDown(what) {
      await home.scale("Deployment", name, 0);
      await home.untilNone("Pod", `game=${name}`);
      await what();
      await home.scale("Deployment", name, 1);
    },
    async stay() {
      const file = join(folder, "stay");
      await writeFile(file, "");
      return { letGo: () => rm(file) };
    },
    async remove() {
      await writeFile(join(folder, "over"), "");
      await home.delete("Deployment", name, { propagation: "Foreground" });
    },
  };
}
