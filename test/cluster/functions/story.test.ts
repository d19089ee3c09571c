import { expect, test } from "vitest";
import { joinCluster } from "../join.ts";
import { layFactorio } from "./apps/factorio.ts";
import { run, stateOf } from "./call.ts";
import { openLab } from "./lab.ts";

const cluster = await joinCluster();
const factorio = await layFactorio(cluster);
const lab = await openLab(cluster, [factorio]);

test("all fifteen functions of stack.yml answer as OpenFaaS deploys them", async () => {
  const names = lab.gateway.deployments.list().map(({ name }) => name);
  expect(names.toSorted()).toEqual(lab.stack.map(({ service }) => service).toSorted());
  expect(names).toHaveLength(15);
  for (const name of names) {
    const answers = ["/_/ready", "/"].map((path) => fetch(`${lab.gateway.url}/function/${name}${path}`));
    expect(
      (await Promise.all(answers)).map(({ status }) => status),
      name,
    ).toEqual([200, 200]);
  }
});

test("Factorio is backed up by a Job of its function, is unchanged, and comes back", async () => {
  const before = await factorio.content();
  expect(await run(lab, "backup-factorio")).toMatchObject({ outcome: "created" });
  expect(await run(lab, "backup-factorio")).toMatchObject({ outcome: "unchanged" });
  await factorio.destroy();
  expect(await run(lab, "restore-factorio", { at: "latest" })).toMatchObject({ outcome: "restored" });
  expect(await factorio.content()).toEqual(before);
  await factorio.expectBack();
  expect((await stateOf(lab, "restore-factorio")).apps).toMatchObject([
    { app: "factorio", points: [{ latest: true }] },
  ]);
});
