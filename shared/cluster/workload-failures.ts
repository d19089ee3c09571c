import { Failure } from "../failures.ts";
import { apiMessage, isConflict, isNotFound } from "./ask.ts";
import { type LiveWorkload, nameOf } from "./live-workload.ts";
import { whoScaled } from "./rivals.ts";

/* How a workload fails: whatever the cluster says of it is `workload_failed`, and callers know what to do about that. */

/** Does `work`, whose failures become the workload's. */
export async function ofWorkload<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof Failure) {
      if (error.code !== "cluster_unreachable" && error.code !== "cluster_refused") throw error;
      throw new Failure("workload_failed", error.message, {
        cause: error,
        ...(error.hint !== undefined && { hint: error.hint }),
      });
    }
    if (isNotFound(error) || isConflict(error) || "body" in (error as object)) {
      throw new Failure("workload_failed", `Cannot change the app's workload: ${apiMessage(error)}`, { cause: error });
    }
    throw error;
  }
}

/** @param wanted What this run wants it to be while somebody else has scaled it. */
export function fought(app: string, wanted: "stopped" | "started", current: LiveWorkload): Failure {
  const { name, hint } = whoScaled(current.managedFields);
  const verb = wanted === "stopped" ? "keep" : "start";
  const state = wanted === "stopped" ? " stopped" : "";
  return new Failure(
    "workload_failed",
    `Cannot ${verb} "${app}"${state}: ${name} has set ${nameOf(current)} to ${current.replicas} meanwhile`,
    { hint },
  );
}

export const notReady = (app: string, { kind, namespace, name }: LiveWorkload, why: string) =>
  new Failure("workload_failed", `Cannot start "${app}": it is not ready: ${why}`, {
    hint: `kubectl describe ${kind.toLowerCase()} ${name} -n ${namespace}; its log: kubectl logs ${kind.toLowerCase()}/${name} -n ${namespace}`,
  });

export const away = (what: string, error: unknown) =>
  new Failure("workload_failed", `Cannot ${what}: the cluster's API does not answer: ${apiMessage(error)}`, {
    cause: error,
    hint: "See whether the API server is up: kubectl get --raw /readyz. The next run goes on from there.",
  });

export const gone = (kind: string, name: string, namespace: string) =>
  new Failure("workload_failed", `Cannot go on: ${kind} "${name}" in namespace ${namespace} was deleted meanwhile`, {
    hint: "Install it again, as with helm upgrade --install; its data is there.",
  });
