import { type AnyAppType, type AppType, isMirror, type RunContext } from "../app.ts";
import type { AppConfig } from "../config.ts";
import type { Failure } from "../failures.ts";
import type { MirrorType } from "../mirror-app.ts";
import type { AppFolders } from "../nas/nas.ts";
import type { RunDescription } from "./description.ts";
import type { Place } from "./place.ts";
import type { Outcome } from "./report.ts";
import type { AppState } from "./state.ts";
import type { Workload } from "./workload.ts";

/** All that the procedure of one run of one app works with. */
export interface AppRun<Type extends AnyAppType = AnyAppType> {
  readonly ctx: RunContext;
  readonly type: Type;
  readonly config: AppConfig;
  readonly folders: AppFolders;
  /** Where the run is carried out. */
  readonly place: Place;
  readonly workload: Workload;
  /** As the run before left it; what this run returns in `Result.state` is written once the outcome is recorded. */
  readonly state: AppState;
  /** Whether a function that waits for what this run announces is woken by it. */
  readonly wakesOthers?: boolean;
  /** The run before this one, when it was killed. */
  readonly abandoned?: RunDescription;
}

/** The run of an app that has restore points. */
export type PointsRun = AppRun<AppType<unknown>>;

/** The run of an app whose backup is a mirror. */
export type MirrorRun = AppRun<MirrorType<unknown>>;

export const isMirrorRun = (run: AppRun): run is MirrorRun => isMirror(run.type);

/** How a procedure ended; one that failed and has something to tell beside its failure. */
export type Ended = Result & { readonly failure?: Failure };

/** How a procedure ended well; failures are thrown. */
export interface Result
  extends Partial<
    Pick<
      Outcome,
      | "point"
      | "previousSizeBytes"
      | "removed"
      | "announces"
      | "pointCount"
      | "plan"
      | "restoredTo"
      | "scrub"
      | "drill"
      | "adoption"
    >
  > {
  readonly outcome: Outcome["outcome"];
  readonly message: string;
  readonly state?: AppState;
}
