import type { V1Deployment } from "@kubernetes/client-node";
import { expect, test } from "vitest";
import { checkCron, checkNats, unseenIn } from "./check-connectors.ts";

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
const topics = ["mapshot.rendered", "backups.completed"];

test("both connectors are well that are up, with every topic bound and every function taken up", () => {
  const all = [cron, nats("backups.completed,mapshot.rendered")];
  expect(checkCron(all, "openfaas", [])).toMatchObject({ ok: true });
  expect(checkNats(all, "openfaas", topics)).toMatchObject({ ok: true });
});

test("checkCron() and checkNats() name what is missing, is not up, is not bound or not taken up", () => {
  expect(checkCron([], "openfaas", [])).toMatchObject({
    ok: false,
    found: 'none is in "openfaas": its functions are called by nobody',
    remedy: expect.stringContaining("deploy/values/cron-connector.yaml"),
  });
  const asleep = deployment("ghcr.io/openfaas/cron-connector:0.7.0", 0);
  expect(checkCron([asleep], "openfaas", [])).toMatchObject({ ok: false, found: "openfaas/own-name is not up" });
  expect(checkCron([cron], "openfaas", ["backup-sdtd"])).toMatchObject({
    ok: false,
    found: "openfaas/own-name has not taken up backup-sdtd",
    remedy: expect.stringContaining("kubectl logs -n openfaas deployment/own-name"),
  });
  expect(checkNats([nats("backups.completed")], "openfaas", topics)).toMatchObject({
    ok: false,
    found: "openfaas/own-name is not bound to mapshot.rendered",
  });
});

test("unseenIn() goes by what the log says last of a function in its namespace", () => {
  const log = [
    "2026/03/01 03:00:00 added function backup-sdtd in openfaas-fn",
    "2026/03/01 03:00:00 added function backup-factorio in openfaas-fn",
    "2026/03/01 03:00:00 added function backup-ollama in elsewhere",
    "2026/03/01 03:00:10 deleted function backup-factorio in openfaas-fn",
    "2026/03/01 03:00:10 deleted function backup-sdtd in openfaas-fn",
    "2026/03/01 03:00:10 added function backup-sdtd in openfaas-fn",
    "",
  ].join("\n");
  const functions = ["backup-sdtd", "backup-factorio", "backup-ollama", "backup"];
  expect(unseenIn(log, "openfaas-fn", functions)).toEqual(["backup-factorio", "backup-ollama", "backup"]);
});
