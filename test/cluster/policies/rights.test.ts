import { expect, test } from "vitest";
import { functionsRules, type Rule, runnerRules } from "../../../deploy/manifests/accounts.ts";
import type { Api } from "../api.ts";
import { joinCluster } from "../join.ts";
import { install } from "./install.ts";

const cluster = await joinCluster();
const { site, functions, games, databases, admin, asFunctions, asRunOfGames } = await install(cluster);

const verbs = ["get", "list", "watch", "create", "update", "patch", "delete", "deletecollection"] as const;
type Verb = (typeof verbs)[number];

interface Resource {
  readonly group: string;
  /** "pods/log" is a part of one. */
  readonly name: string;
  readonly namespaced: boolean;
  readonly path: string;
}

/** Everything that this API server has, parts included. */
async function resources(): Promise<Resource[]> {
  const groups = (await admin("GET", "/apis")).object.groups.map(
    ({ preferredVersion }: { preferredVersion: { groupVersion: string } }) => `/apis/${preferredVersion.groupVersion}`,
  );
  const lists = ["/api/v1", ...groups].map(async (path) =>
    (await admin("GET", path)).object.resources.map(({ name, namespaced }: Resource) => ({
      group: path.split("/").length > 3 ? path.split("/")[2] : "",
      name,
      namespaced,
      path,
    })),
  );
  return (await Promise.all(lists)).flat();
}

const all = await resources();

const names = ["keepsake-sdtd", "keepsake-postgresql-drill", "sdtd-7dtd", "another"];
const namespaces = [functions.name, games.name, databases.name, "default", "kube-system"];
const spokenOf = new Set(
  site.apps
    .flatMap((app) => [...functionsRules(app), ...runnerRules(app)])
    .map(({ apiGroups, resources }) => `${apiGroups[0]}/${resources[0]}`),
);

/** One request with which `verb` is tried; what is asked for is not there, and nothing is changed. */
function attempt(resource: Resource, verb: Verb, namespace: string, name: string): [method: string, path: string] {
  const [whole = "", part] = resource.name.split("/");
  const where = `${resource.path}${resource.namespaced ? `/namespaces/${namespace}` : ""}/${whole}`;
  const one = `${where}/${name}${part === undefined ? "" : `/${part}`}`;
  const collection = part === undefined ? where : one;
  switch (verb) {
    case "get":
      return ["GET", one];
    case "list":
      return ["GET", `${where}?limit=1`];
    case "watch":
      return ["GET", `${where}?watch=1&timeoutSeconds=1`];
    case "create":
      return ["POST", `${collection}?dryRun=All`];
    case "update":
      return ["PUT", `${one}?dryRun=All`];
    case "patch":
      return ["PATCH", `${one}?dryRun=All`];
    case "delete":
      return ["DELETE", `${one}?dryRun=All`];
    case "deletecollection":
      return ["DELETE", `${where}?dryRun=All`];
  }
}

/**
 * The cells "<namespace> <group>/<resource> <verb> <name>" that an account is let into. What no role speaks of is tried
 * in one of its namespaces and in one that is none of Keepsake's.
 */
async function lets(as: Api): Promise<string[]> {
  const found: string[] = [];
  const tries = all.flatMap((resource) =>
    verbs.flatMap((verb) => {
      const isPart = resource.name.includes("/");
      if (isPart && ["list", "watch", "delete", "deletecollection"].includes(verb)) return [];
      const ofOne = verb !== "list" && verb !== "watch" && verb !== "deletecollection" && (verb !== "create" || isPart);
      const isSpokenOf = spokenOf.has(`${resource.group}/${resource.name}`);
      const where = isSpokenOf ? namespaces : [games.name, "default"];
      return (resource.namespaced ? where : ["-"]).flatMap((namespace) =>
        (ofOne ? (isSpokenOf ? names : ["another"]) : ["*"]).map((name) => ({ resource, verb, namespace, name })),
      );
    }),
  );
  const next = tries.values();
  const work = async () => {
    for (const { resource, verb, namespace, name } of next) {
      const [method, path] = attempt(resource, verb, namespace, name === "*" ? "nothing" : name);
      const { status, message } = await as(method, path, method === "PATCH" ? {} : undefined);
      // A refusal by a policy, or because there is nothing, comes after the right was found to be there.
      if (status !== 403 || !message.includes(" is forbidden: User "))
        found.push(`${namespace} ${resource.group}/${resource.name} ${verb} ${name}`);
    }
  };
  await Promise.all(Array.from({ length: 8 }, work));
  return found.sort();
}

/** The same, as the roles say it. */
function said(namespace: string, rules: readonly Rule[]): string[] {
  const found = new Set<string>();
  for (const { apiGroups, resources, verbs, resourceNames } of rules) {
    for (const verb of verbs) {
      const isPart = resources[0]?.includes("/");
      const ofMany = verb === "list" || verb === "watch" || (verb === "create" && !isPart);
      // By a name alone: a list of all is refused.
      if (ofMany && resourceNames) continue;
      for (const name of ofMany ? ["*"] : names) {
        if (resourceNames && !resourceNames.includes(name)) continue;
        found.add(`${namespace} ${apiGroups[0]}/${resources[0]} ${verb} ${name}`);
      }
    }
  }
  return [...found];
}

/** What anybody who is known to the API may ask: who he is, and what he may. */
const everybody = all
  .filter(({ group, name }) => /^(authentication|authorization)\.k8s\.io$/.test(group) && name.startsWith("self"))
  .map(({ group, name }) => `- ${group}/${name} create *`);

const rulesIn = (namespace: string, rulesOf: typeof runnerRules) =>
  said(namespace, site.apps.filter(({ kubernetes }) => kubernetes.namespace === namespace).flatMap(rulesOf));

test("the functions' account may do what the table says, and nothing else of all that there is", async () => {
  const wanted = [games.name, databases.name].flatMap((namespace) => rulesIn(namespace, functionsRules));
  expect(all.length).toBeGreaterThan(100);
  expect(wanted.length).toBeGreaterThan(30);
  expect(await lets(asFunctions)).toEqual([...new Set([...wanted, ...everybody])].sort());
});

test("a run's account may do what the table says, in its own namespace, and nothing else", async () => {
  const wanted = rulesIn(games.name, runnerRules);
  expect(wanted.length).toBeGreaterThan(20);
  expect(await lets(asRunOfGames)).toEqual([...new Set([...wanted, ...everybody])].sort());
});
