import { z } from "zod";
import { Owner } from "../owner.ts";

const DnsName = z.string().regex(/^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/, "lower-case letters, digits and -");
/** Claims and workloads may have dots in their names. */
const ObjectName = z.string().regex(/^[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?$/, "lower-case letters, digits, - and .");
const Quantity = z.string().regex(/^\d+(?:\.\d+)?(?:[KMGT]i?|k)?$/, 'an amount such as "16Gi"');

/** Where runs are Jobs: its presence, be it empty, says that this is a cluster. */
export const ClusterSettings = z.strictObject({
  /** What the Jobs run; the functions' own image. */
  image: z.string().min(1).default("ghcr.io/keepsake/keepsake:0.1.0"),
  /** Where OpenFaaS keeps functions. */
  functionNamespace: DnsName.default("openfaas-fn"),
  /** Where its gateway and the connectors are. */
  openfaasNamespace: DnsName.default("openfaas"),
  /** Where NATS is. */
  natsNamespace: DnsName.default("nats"),
});
export type ClusterSettings = z.infer<typeof ClusterSettings>;

/** What is stopped before the app's data is replaced: by its name, or by its labels as `kubectl -l` takes them. */
const ClusterWorkload = z
  .strictObject({
    kind: z.enum(["Deployment", "StatefulSet"]).default("Deployment"),
    name: ObjectName.optional(),
    selector: z.string().min(1).max(1000).optional(),
  })
  .refine(({ name, selector }) => (name === undefined) !== (selector === undefined), "one of name and selector");

const SecretFile = z.string().regex(/^\w[\w.-]{0,252}$/, "the name of a file");

const Toleration = z.strictObject({
  key: z.string().optional(),
  operator: z.enum(["Equal", "Exists"]).optional(),
  value: z.string().optional(),
  effect: z.enum(["NoSchedule", "PreferNoSchedule", "NoExecute"]).optional(),
  tolerationSeconds: z.number().int().optional(),
});

/** What another image does in the pod of a run: Mapshot's renderer, the server of a PostgreSQL drill. */
const Companion = z.strictObject({
  image: z.string().min(1).optional(),
  /** How much memory it may take. */
  memory: Quantity.optional(),
});

/** Where an app is on a cluster, as far as it is not where its type says. */
export const KubernetesSettings = z.strictObject({
  namespace: DnsName.optional(),
  workload: ClusterWorkload.optional(),
  /** The claim that holds the data, in the app's namespace. */
  claim: ObjectName.optional(),
  claimSubPath: z
    .string()
    .regex(/^(?!\/)(?!(?:.*\/)?\.\.(?:\/|$)).+$/, "a path in the claim")
    .optional(),
  /** Where a run has the claim. */
  mountPath: z.string().startsWith("/").optional(),
  /** Whom the data belongs to: runs are this user's. */
  user: Owner.optional(),
  nodeSelector: z.record(z.string(), z.string()).optional(),
  tolerations: z.array(Toleration).optional(),
  companion: Companion.optional(),
  /** Secrets of the app's namespace that a run has as files: `<file>: <secret>/<key>`. */
  secrets: z
    .record(SecretFile, z.string().regex(/^[a-z0-9.-]+\/[\w.-]+$/, "a secret and its key as `<secret>/<key>`"))
    .optional(),
});

/** The same with what its type says. */
export interface Kubernetes extends Omit<z.infer<typeof KubernetesSettings>, "namespace"> {
  readonly namespace: string;
}

/** The same as a type says it: where the asker's site has an app of it. */
export type KubernetesDefaults = z.input<typeof KubernetesSettings> & { readonly namespace: string };
