/**
 * A model's name as Ollama splits it (types/model/name.go): `host/namespace/model:tag`. The first three can be left
 * out; a colon before the last slash belongs to the host.
 */
export interface ModelName {
  readonly host: string;
  readonly namespace: string;
  readonly model: string;
  readonly tag: string;
}

const defaults = { host: "registry.ollama.ai", namespace: "library", tag: "latest" };
/** What 0.40 and newer call the default registry in `manifests-v2`. */
const newDefaultHost = "ollama.com";

const patterns: Record<keyof ModelName, RegExp> = {
  host: /^[A-Za-z0-9_][A-Za-z0-9_.:-]{0,349}$/,
  namespace: /^[A-Za-z0-9_][A-Za-z0-9_-]{0,79}$/,
  model: /^[A-Za-z0-9_][A-Za-z0-9_.-]{0,79}$/,
  tag: /^[A-Za-z0-9_][A-Za-z0-9_.-]{0,79}$/,
};

const isValid = (name: ModelName) =>
  (Object.keys(patterns) as (keyof ModelName)[]).every((part) => patterns[part].test(name[part]));

/** @returns undefined for what is no model's name. */
export function parseModelName(text: string): ModelName | undefined {
  const colon = text.lastIndexOf(":");
  const hasTag = colon > text.lastIndexOf("/");
  const [path, tag] = hasTag ? [text.slice(0, colon), text.slice(colon + 1)] : [text, defaults.tag];
  const parts = path.split("/");
  if (parts.length > 3) return undefined;
  const [host, namespace, model] = [...[defaults.host, defaults.namespace].slice(0, 3 - parts.length), ...parts] as [
    string,
    string,
    string,
  ];
  const name = { host, namespace, model, tag };
  return isValid(name) ? name : undefined;
}

/** The shortest way to write it, as `ollama list` does. */
export function showModelName({ host, namespace, model, tag }: ModelName): string {
  const named = `${model}:${tag}`;
  if (host !== defaults.host) return `${host}/${namespace}/${named}`;
  return namespace === defaults.namespace ? named : `${namespace}/${named}`;
}

/** Where its manifest lies below a store: always four folders deep. */
export const manifestPathOf = ({ host, namespace, model, tag }: ModelName) =>
  ["manifests", host, namespace, model, tag].join("/");

/** The four parts of a path below `manifests`, or `manifests-v2`, as a name; undefined when they are none. */
export function nameOfPath(parts: readonly string[], folder: ManifestFolder): ModelName | undefined {
  const [first, namespace, model, tag] = parts as [string, string, string, string];
  if (parts.length !== 4) return undefined;
  const host = folder === "manifests-v2" ? first.replaceAll(/%3a/gi, ":") : first;
  const name = {
    host: folder === "manifests-v2" && host === newDefaultHost ? defaults.host : host,
    namespace,
    model,
    tag,
  };
  return isValid(name) ? name : undefined;
}

/** Ollama 0.40 and newer write names into the second one, and read both; the second one wins. */
export const manifestFolders = ["manifests", "manifests-v2"] as const;
export type ManifestFolder = (typeof manifestFolders)[number];
