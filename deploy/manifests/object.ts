/** An object of the cluster as it is applied. */
export interface Manifest {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: {
    readonly name: string;
    readonly namespace?: string;
    readonly labels?: Readonly<Record<string, string>>;
    readonly annotations?: Readonly<Record<string, string>>;
  };
  readonly [key: string]: unknown;
}

/** What every object of Keepsake has: so they are found, and removed, together. */
export const partOf = { "app.kubernetes.io/name": "keepsake", "app.kubernetes.io/part-of": "keepsake" };

/**
 * An object with Keepsake's labels.
 * @param where Its namespace; undefined for what belongs to the cluster.
 */
export function object(
  type: readonly [apiVersion: string, kind: string],
  name: string,
  where: string | undefined,
  content: Readonly<Record<string, unknown>>,
  labels: Readonly<Record<string, string>> = {},
): Manifest {
  const [apiVersion, kind] = type;
  const namespace = where === undefined ? {} : { namespace: where };
  return { apiVersion, kind, metadata: { name, ...namespace, labels: { ...partOf, ...labels } }, ...content };
}
