import { count } from "../../shared/words.ts";
import type { Check } from "../cli/checks.ts";
import type { Manifest } from "../manifests/object.ts";
import type { Applied } from "./applied.ts";

/** In the words of who reads it, by what is said of all objects of a kind together. */
const groups: readonly [what: string, kinds: RegExp][] = [
  ["policies", /AdmissionPolicy/],
  ["accounts and roles", /^(ServiceAccount|Role|RoleBinding)$/],
  ["CronJobs", /^CronJob$/],
  ["settings and network policies", /^(ConfigMap|NetworkPolicy)$/],
];

/** Whether everything of Keepsake stands on the cluster as the settings have it. */
export function checkApplied(applied: readonly Applied[]): Check[] {
  return groups.map(([what, kinds]) => {
    const own = applied.filter(({ manifest }) => kinds.test(manifest.kind));
    const bad = own.filter(({ state }) => state !== "same");
    const refused = bad.find(({ state }) => state === "refused");
    const found = bad.map(({ manifest, state }) => `${nameOf(manifest)} ${words[state]}`);
    if (bad.length === 0) return { what, ok: true, found: `all ${own.length} are as the settings have them` };
    const more = found.length > 3 ? `, and ${count(found.length - 3, "other")}` : "";
    const remedy = refused
      ? `The API refuses ${nameOf(refused.manifest)}: ${refused.why}`
      : what === "policies"
        ? "A policy that is not there refuses nothing. To have them applied: make deploy CONFIG=…"
        : "To have them applied: make deploy CONFIG=…";
    return { what, ok: false, found: found.slice(0, 3).join(", ") + more, remedy };
  });
}

const words = {
  same: "is as it should be",
  other: "is another",
  missing: "is not there",
  refused: "is refused",
} as const;

const nameOf = ({ kind, metadata: { name, namespace } }: Manifest) =>
  `${kind} ${namespace === undefined ? name : `${namespace}/${name}`}`;
