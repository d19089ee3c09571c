import type { Deployment } from "../../../shared/stack/stack-file.ts";

/** The one namespace for functions that OpenFaaS CE has. */
export const namespace = "openfaas-fn";

/** A function as `/system/functions` shows it (`FunctionStatus` of faas-provider). */
export interface FunctionStatus extends Omit<Deployment, "service"> {
  readonly name: string;
  readonly namespace: string;
  readonly replicas: number;
  readonly availableReplicas: number;
  readonly invocationCount: number;
  /** RFC 3339. */
  readonly createdAt: string;
}

export interface Deployments {
  /** In the order of their deployment. */
  list(): FunctionStatus[];
  get(name: string): FunctionStatus | undefined;
  /** Adds a function, or replaces what was said of one; its count of calls stays. */
  set(deployment: Deployment): void;
  /** @returns Whether it was there. */
  remove(name: string): boolean;
  countInvocation(name: string): void;
}

/** What is deployed, in memory: a restart of the gateway begins with the stack file again. */
export function createDeployments(stack: readonly Deployment[], now: () => number): Deployments {
  const functions = new Map<string, { deployment: Deployment; createdAt: string; invocations: number }>();

  const status = (name: string): FunctionStatus | undefined => {
    const found = functions.get(name);
    if (!found) return undefined;
    const { service: _, labels, annotations, ...deployment } = found.deployment;
    return {
      name,
      ...deployment,
      labels: labels ?? {},
      annotations: annotations ?? {},
      namespace,
      replicas: 1,
      availableReplicas: 1,
      invocationCount: found.invocations,
      createdAt: found.createdAt,
    };
  };
  const set = (deployment: Deployment) => {
    const { createdAt = new Date(now()).toISOString(), invocations = 0 } = functions.get(deployment.service) ?? {};
    functions.set(deployment.service, { deployment, createdAt, invocations });
  };
  for (const deployment of stack) set(deployment);

  return {
    list: () => [...functions.keys()].map((name) => status(name) as FunctionStatus),
    get: status,
    set,
    remove: (name) => functions.delete(name),
    countInvocation(name) {
      const found = functions.get(name);
      if (found) found.invocations += 1;
    },
  };
}

/**
 * Reads a name as callers write it, with or without its namespace.
 * @returns undefined when it names another namespace.
 */
export function localName(name: string): string | undefined {
  const dot = name.lastIndexOf(".");
  if (dot < 0) return name;
  return name.slice(dot + 1) === namespace ? name.slice(0, dot) : undefined;
}
