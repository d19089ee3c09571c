import { isDeepStrictEqual } from "node:util";
import {
  ApiException,
  HttpMethod,
  IsomorphicFetchHttpLibrary,
  PatchStrategy,
  RequestContext,
} from "@kubernetes/client-node";
import { apiMessage, ask, askIfThere } from "../../shared/cluster/ask.ts";
import { type Cluster, fieldManager } from "../../shared/cluster/client.ts";
import type { Manifest } from "../manifests/object.ts";

/** How an object of the cluster stands to what is to be applied. */
export interface Applied {
  readonly manifest: Manifest;
  readonly state: "same" | "other" | "missing" | "refused";
  /** Of one that the API would refuse: why. */
  readonly why?: string;
}

/**
 * Compares what is there with what would be there, by a dry run of the very apply on the server: what others have added,
 * and what the server fills in, is not a difference. Changes nothing.
 */
export async function compareApplied(cluster: Cluster, manifests: readonly Manifest[]): Promise<Applied[]> {
  const found: Applied[] = [];
  for (let at = 0; at < manifests.length; at += atATime) {
    const some = manifests.slice(at, at + atATime);
    found.push(...(await Promise.all(some.map((manifest) => compareOne(cluster, manifest)))));
  }
  return found;
}

/** Questions that the API server is asked at once. */
const atATime = 8;

async function compareOne(cluster: Cluster, manifest: Manifest): Promise<Applied> {
  const { kind, metadata } = manifest;
  const what = `compare ${kind} "${metadata.name}"`;
  const path = pathOf(manifest);
  const live = await askIfThere(what, () => request(cluster, HttpMethod.GET, path));
  if (!live) return { manifest, state: "missing" };
  try {
    const dryRun = `${path}?dryRun=All&force=true&fieldManager=${fieldManager}`;
    const wanted = await ask(what, () => request(cluster, HttpMethod.PATCH, dryRun, manifest));
    return { manifest, state: isDeepStrictEqual(contentOf(wanted), contentOf(live)) ? "same" : "other" };
  } catch (error) {
    return { manifest, state: "refused", why: apiMessage(error) };
  }
}

/** Applies objects on the server, in their order; fields that others have set otherwise become Keepsake's. */
export async function applyAll(cluster: Cluster, manifests: readonly Manifest[]): Promise<void> {
  for (const manifest of manifests) {
    const path = `${pathOf(manifest)}?force=true&fieldManager=${fieldManager}&fieldValidation=Strict`;
    await ask(`apply ${manifest.kind} "${manifest.metadata.name}"`, () =>
      request(cluster, HttpMethod.PATCH, path, manifest),
    );
  }
}

/** Those of the objects that are on the cluster, in their order. */
export async function findThere(cluster: Cluster, manifests: readonly Manifest[]): Promise<Manifest[]> {
  const there: Manifest[] = [];
  for (const manifest of manifests) {
    const live = await askIfThere(`look at ${manifest.kind} "${manifest.metadata.name}"`, () =>
      request(cluster, HttpMethod.GET, pathOf(manifest)),
    );
    if (live) there.push(manifest);
  }
  return there;
}

/** Removes objects, in their order; what is gone already is no failure. */
export async function removeAll(cluster: Cluster, manifests: readonly Manifest[]): Promise<void> {
  for (const manifest of manifests) {
    await askIfThere(`remove ${manifest.kind} "${manifest.metadata.name}"`, () =>
      request(cluster, HttpMethod.DELETE, pathOf(manifest)),
    );
  }
}

/** Whatever the API has at a path. */
export const read = (cluster: Cluster, path: string): Promise<unknown> => request(cluster, HttpMethod.GET, path);

type Json = Readonly<Record<string, unknown>> & { readonly metadata?: Readonly<Record<string, unknown>> };

/** All of an object but what the server counts and remembers of it. */
function contentOf({ metadata, status: _, ...rest }: Json): unknown {
  return { ...rest, labels: metadata?.labels, annotations: metadata?.annotations };
}

/** "/apis/batch/v1/namespaces/factorio/cronjobs/keepsake-factorio" */
function pathOf({ apiVersion, kind, metadata: { name, namespace } }: Manifest): string {
  const group = apiVersion.includes("/") ? `/apis/${apiVersion}` : `/api/${apiVersion}`;
  const place = namespace === undefined ? "" : `/namespaces/${namespace}`;
  return `${group}${place}/${kind.toLowerCase().replace(/y$/, "ie")}s/${name}`;
}

/**
 * As it is: the library's own client for objects of any kind knows some fields by other names (`from` of a network
 * policy), and leaves out what it does not know.
 */
async function request({ config }: Cluster, method: HttpMethod, path: string, body?: object): Promise<Json> {
  const context = new RequestContext(`${config.getCurrentCluster()?.server}${path}`, method);
  context.setSignal(AbortSignal.timeout(20_000));
  if (body) {
    context.setHeaderParam("content-type", PatchStrategy.ServerSideApply);
    context.setBody(JSON.stringify(body));
  }
  await config.applySecurityAuthentication(context);
  const response = await new IsomorphicFetchHttpLibrary().send(context).toPromise();
  const text = await response.body.text();
  if (response.httpStatusCode !== 200 && response.httpStatusCode !== 201)
    throw new ApiException(response.httpStatusCode, "the API refuses", text, {});
  return JSON.parse(text);
}
