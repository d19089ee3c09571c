import type { Content } from "../../../../deploy/local/demo/lab.ts";
import type { Namespace } from "../../namespace.ts";

/** An app on the cluster, in a namespace of its own, whose data is backed up, destroyed and restored. */
export interface ClusterApp {
  /** Its name in keepsake.yaml. */
  readonly name: string;
  readonly home: Namespace;
  /** What stands under its name there. */
  readonly settings: object;
  /** Once Keepsake is applied: what this machine has and a real cluster has not. */
  adapt?(): Promise<void>;
  /** Everything that a restore has to bring back, read anew. */
  content(): Promise<Content>;
  /** Its server, if it holds the data open, does not survive it either. */
  destroy(): Promise<void>;
  /** Its server is there as before, and nobody has touched its data while it was. */
  expectBack(): Promise<void>;
}
