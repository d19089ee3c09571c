import type { PodSpec } from "./pod.ts";
import { withDrillServer } from "./pod-drill.ts";
import { withRenderer } from "./pod-render.ts";
import type { ClusterApp, Site } from "./site.ts";

type Shape = (site: Site, app: ClusterApp, pod: PodSpec) => PodSpec;

/** By type: runs whose pod has more than the runner in it. */
const shapes: Readonly<Record<string, Readonly<Record<string, Shape>>>> = {
  mapshot: { render: withRenderer },
  postgresql: { drill: withDrillServer },
};

/** The shapes that runs of an app have; undefined stands for the runner alone. */
export const shapesOf = ({ type }: ClusterApp): (string | undefined)[] => [
  undefined,
  ...Object.keys(shapes[type.type] ?? {}),
];

/** The pod of a run of that shape. */
export function shaped(site: Site, app: ClusterApp, shape: string | undefined, pod: PodSpec): PodSpec {
  const change = shape === undefined ? undefined : shapes[app.type.type]?.[shape];
  return change?.(site, app, pod) ?? pod;
}
