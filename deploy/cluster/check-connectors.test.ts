import type { V1Deployment } from "@kubernetes/client-node";
import { expect, test } from "vitest";
import { checkDeployed } from "./check-connectors.ts";

const deployment = (image: string, readyReplicas: number, topics = ""): V1Deployment => ({
  metadata: { name: "own-name" },
  spec: {
    selector: {},
    template: { spec: { containers: [{ name: "main", image, env: [{ name: "topics", value: topics }] }] } },
  },
  status: { readyReplicas },
});
const cron = deployment("ghcr.io/openfaas/cron-connector:0.7.0", 1);
const nats = (topics: string) => deployment("ghcr.io/openfaas/nats-connector:0.3.0", 1, topics);
const topics = ["cron-function", "mapshot.rendered", "backups.completed"];

test("checkDeployed() wants both connectors, up, and every topic bound", () => {
  const all = checkDeployed([cron, nats("backups.completed,mapshot.rendered")], "openfaas", topics);
  expect(all.map(({ what, ok }) => [what, ok])).toEqual([
    ["cron-connector", true],
    ["nats-connector", true],
  ]);
});

test("checkDeployed() names what is missing, is not up, or is not bound", () => {
  expect(checkDeployed([], "openfaas", topics)[0]).toMatchObject({
    ok: false,
    found: 'none is in "openfaas": its functions are called by nobody',
    remedy: expect.stringContaining("deploy/values/cron-connector.yaml"),
  });
  const asleep = deployment("ghcr.io/openfaas/cron-connector:0.7.0", 0);
  expect(checkDeployed([asleep, nats("backups.completed")], "openfaas", topics)).toMatchObject([
    { ok: false, found: "openfaas/own-name is not up" },
    { ok: false, found: "openfaas/own-name is not bound to mapshot.rendered" },
  ]);
});
