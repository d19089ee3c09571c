import { basename, resolve } from "node:path";
import { z } from "zod";
import type { MirrorSource, MirrorType } from "../../shared/mirror-app.ts";
import { AppName } from "../../shared/run/description.ts";
import type { Look } from "./render-files.ts";
import type { Render } from "./render-folder.ts";

const Renderer = z.strictObject({
  /**
   * A line for `sh -c` that renders the save "$SAVE" into the folder of `renders`, with "$WORK" as its folder for what
   * it needs meanwhile, and tells "Output: <path>" when it is done: `mapshot render`.
   */
  command: z.string().min(1).max(10_000),
  /** How long it may take. */
  timeoutHours: z.number().positive().max(168).default(12),
  /** How long it may take to end after it has told that it is done. */
  graceSeconds: z.number().min(0).max(3600).default(60),
});

export const Settings = z.strictObject({
  /**
   * Where the renderer leaves the map: the folder of index.html and d-…. Its name is that of the save that is
   * rendered, since Mapshot names the one after the other.
   */
  renders: z
    .string()
    .refine((path) => /^[\w][\w .-]*$/.test(basename(path)), "a folder whose name can be that of a save")
    .default("/mapshot/factorio/script-output/mapshot/latest"),
  /** How the map is rendered. Without it, what something else has rendered is published. */
  render: Renderer.optional(),
  /** The app whose newest verified backup is rendered. */
  factorio: AppName.default("factorio"),
  /** "skipped" when the renderer leaves out tiles on which nothing is built (`--minjpgquality 0`). */
  emptyTiles: z.enum(["rendered", "skipped"]).default("rendered"),
});
export type Settings = z.infer<typeof Settings>;

/** The render that the folder's index.html names. */
export interface MapshotSource extends MirrorSource {
  /** Absent when the run is postponed. */
  readonly found?: { readonly render: Render; readonly look: Look };
}

export const app: MirrorType<Settings, MapshotSource> = {
  type: "mapshot",
  title: "Mapshot",
  settings: Settings,
  place: ({ renders }) => resolve(renders),
  // The renderer's claim. The web server beside it reads the NAS and is never stopped.
  kubernetes: {
    namespace: "mapshot",
    claim: "mapshot-data",
    mountPath: "/mapshot",
    user: "0:0",
    companion: { image: "martydingo/mapshot:latest", memory: "16Gi" },
  },
  jobShape: (operation, { render }) => (operation === "backup" && render ? "render" : undefined),
  verb: "render",
  mirror: { folder: ".", anchor: "index.html" },
  cleans: true,
  announces: "mapshot.rendered",
  loadBackup: async () => (await import("./backup.ts")).backup,
  loadRestore: async () => (await import("./restore.ts")).restore,
  loadDrill: async () => (await import("./drill.ts")).drill,
};
