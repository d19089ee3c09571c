import type { V1ManagedFieldsEntry } from "@kubernetes/client-node";
import { expect, test } from "vitest";
import { scalerFromZero, whoScaled } from "./rivals.ts";

const game = { kind: "Deployment", namespace: "games", name: "game" } as const;
const scaler = (name: string, minReplicas: number, target = "game", owner?: string) => ({
  metadata: {
    name,
    ...(owner !== undefined && {
      ownerReferences: [{ apiVersion: "keda.sh/v1alpha1", kind: "ScaledObject", name: owner, uid: "1" }],
    }),
  },
  spec: { scaleTargetRef: { kind: "Deployment", name: target }, minReplicas, maxReplicas: 3 },
});

test("scalerFromZero() finds the autoscaler that would start what is at zero, and says how it is kept from that", () => {
  expect(scalerFromZero([scaler("other", 0, "other"), scaler("game", 1)], game)).toBeUndefined();
  expect(scalerFromZero([scaler("game", 0)], game)).toEqual({
    name: 'HorizontalPodAutoscaler "game", whose minimum is 0,',
    hint: `kubectl patch hpa game -n games -p '{"spec":{"minReplicas":1}}'`,
  });
  expect(scalerFromZero([scaler("keda-hpa-game", 1, "game", "players")], game)?.name).toBe(
    'KEDA\'s ScaledObject "players"',
  );
});

const entry = (manager: string, time: string, fields: object = { "f:replicas": {} }): V1ManagedFieldsEntry => ({
  manager,
  time: time as never,
  fieldsV1: { "f:spec": fields },
});

test("whoScaled() names who set the replicas last, whatever else others have changed since", () => {
  const entries = [
    entry("keepsake", "2026-03-01T12:00:03Z"),
    entry("helm", "2026-03-01T11:00:00Z"),
    entry("flux-kustomize-controller", "2026-03-01T12:00:01Z"),
    entry("kubectl-edit", "2026-03-01T12:00:02Z", { "f:template": {} }),
  ];
  expect(whoScaled(entries)).toEqual({
    name: '"flux-kustomize-controller"',
    hint: expect.stringContaining("flux suspend"),
  });
  expect(whoScaled([entry("argocd-controller", "2026-03-01T12:00:01Z")]).hint).toMatch(/ignoreDifferences/);
  expect(whoScaled([entry("keepsake", "2026-03-01T12:00:03Z")])).toEqual({
    name: expect.stringContaining("somebody"),
    hint: expect.stringContaining("has to leave its replicas alone"),
  });
});
