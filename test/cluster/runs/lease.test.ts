import { expect, test } from "vitest";
import { connect } from "../../../shared/cluster/client.ts";
import { leaseHolder, type PodIdentity, takeLease } from "../../../shared/cluster/lease.ts";
import { describeRun } from "../../../shared/testing.ts";
import { busybox } from "../images/busybox.ts";
import { joinCluster } from "../join.ts";
import { has } from "../objects.ts";

const cluster = await joinCluster();
const home = await cluster.namespace("lease");
const api = connect(cluster.config());

/** A pod that runs until it is deleted. */
async function podOf(name: string): Promise<PodIdentity> {
  await home.apply({
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name },
    spec: {
      terminationGracePeriodSeconds: 0,
      containers: [{ name: "sleep", image: busybox, command: ["sleep", "1000"] }],
    },
  });
  await home.until("Pod", name, has("Ready"));
  const pod = await home.get("Pod", name);
  return { namespace: home.name, name, uid: pod?.metadata.uid as string };
}

const runOf = (id: string) => describeRun({ id });
const holder = () => leaseHolder(api, home.name, "box", "main");

test("takeLease() lets one pod hold the lock, and another only once that pod is gone, whatever time it is", async () => {
  const [first, second] = await Promise.all([podOf("first"), podOf("second")]);
  const raced = await Promise.allSettled([
    takeLease(api, first, "main", runOf("run-1")),
    takeLease(api, second, "main", runOf("run-2")),
  ]);
  expect(raced.map(({ status }) => status).sort()).toEqual(["fulfilled", "rejected"]);
  const refused = raced.find((one) => one.status === "rejected") as PromiseRejectedResult;
  expect(refused.reason).toMatchObject({ code: "app_busy", message: expect.stringContaining("is running since") });
  const [winner, loser] = raced[0]?.status === "fulfilled" ? [first, second] : [second, first];
  const won = winner === first ? "run-1" : "run-2";
  expect(await holder()).toMatchObject({ run: { id: won }, state: "alive" });

  // The containers of one pod share it, and it counts as one holder.
  const again = await takeLease(api, winner, "main", runOf(won));
  expect(again).toMatchObject({ number: 1 });
  expect(again.abandoned).toBeUndefined();
  await again.fence();

  // A scrub has a lock of its own.
  await (await takeLease(api, loser, "scrub", runOf("scrub-1"))).release();

  await home.delete("Pod", winner.name, { graceSeconds: 0 });
  await expect.poll(async () => (await holder())?.state, { timeout: 30_000 }).toBe("gone");
  const next = await takeLease(api, loser, "main", runOf("run-3"));
  expect(next).toMatchObject({ number: 2, abandoned: { id: won } });
  await expect
    .poll(
      () =>
        again.fence().then(
          () => "held",
          (error) => error.code,
        ),
      { timeout: 5_000 },
    )
    .toBe("lock_lost");
  // Whoever has lost it takes it from nobody.
  await again.release();
  expect(await holder()).toMatchObject({ run: { id: "run-3" } });
  await next.release();
  expect(await holder()).toBeUndefined();
  const released = await takeLease(api, loser, "main", runOf("run-4"));
  expect(released).toMatchObject({ number: 3 });
  expect(released.abandoned).toBeUndefined();
});

test("takeLease() takes nothing from a pod that has the name of one that is gone, but is another", async () => {
  const old = await podOf("named");
  await takeLease(api, old, "drill", runOf("run-5"));
  await home.delete("Pod", "named", { graceSeconds: 0 });
  const fresh = await podOf("named");
  expect(fresh.uid).not.toBe(old.uid);
  expect(await leaseHolder(api, home.name, "box", "drill")).toMatchObject({ state: "gone", run: { id: "run-5" } });
  expect(await takeLease(api, fresh, "drill", runOf("run-6"))).toMatchObject({ abandoned: { id: "run-5" } });
});
