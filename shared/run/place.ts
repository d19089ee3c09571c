import { join } from "node:path";
import type { AppConfig, Config } from "../config.ts";
import type { Disk } from "../disk.ts";
import { access } from "../files.ts";
import { withDeadline } from "../nas/deadline.ts";
import type { AppFolders } from "../nas/nas.ts";
import type { Step } from "../step.ts";
import type { Lane, RunDescription } from "./description.ts";
import { closeRun, lostRuns } from "./local-runs.ts";
import { type Holder, type Lock, lockHolder, locksOf, takeLock } from "./lock.ts";
import { ownIdentity } from "./process-identity.ts";
import type { Outcome } from "./report.ts";
import { commandWorkload, type Workload } from "./workload.ts";

/** A run that nobody has told of. */
export interface LostRun {
  readonly run: RunDescription;
  /** How it ended, when that is known: it could not write it down. Absent when it was killed. */
  readonly outcome?: Outcome;
  /** Of one that was killed: by what, as far as the place knows. "the runner needed more memory than its limit of 512Mi" */
  readonly why?: string;
}

/** What a place knows of its runs. Read only. */
export interface PlaceView {
  /**
   * Who holds the lock of an app's lane; undefined when nobody does. A holder that is gone left its run unfinished.
   * @throws {Failure} `nas_unreachable`, `cluster_unreachable`, in time.
   */
  lockHolder(folders: AppFolders, lane: Exclude<Lane, "none">): Promise<Holder | undefined>;
  /** Whether a run has stopped the app and not brought it back. */
  isStopped(app: AppConfig): Promise<boolean>;
  /** Runs of an app that are over and whose outcome is on no record, the lock taken or not. */
  lost(app: string): Promise<LostRun[]>;
}

/** What a run gives to the workload that it stops and starts. */
export interface WorkloadTools {
  readonly ownDisk: Disk;
  readonly step: Step;
  readonly warn: (message: string) => void;
}

/** The place where runs are carried out, as a runner needs it: this machine, or a cluster. */
export interface Place extends PlaceView {
  /** See `RunContext.companion`. */
  readonly companion?: string;
  /**
   * Takes the lock, at once or not at all.
   * @throws {Failure} `app_busy`, naming who is running and since when.
   */
  takeLock(folders: AppFolders, lane: Exclude<Lane, "none">, run: RunDescription, disk: Disk): Promise<Lock>;
  /** Whether the app can be stopped and started here. */
  canStop(app: AppConfig): boolean;
  /** The app's server. `ownDisk` writes what this place remembers of it. */
  workload(app: AppConfig, with_: WorkloadTools): Workload;
  /** To be called by a runner once its outcome is on record. */
  close(runId: string): Promise<void>;
}

/** This machine: locks are files on the NAS, servers are stopped by command lines. */
export function localPlace(config: Config): Place {
  const runs = runsFolder(config);
  return {
    lockHolder: (folders, lane) =>
      withDeadline("who is running", config.nasTimeoutMs, () => lockHolder(locksOf(folders, lane))),
    takeLock: async (folders, lane, run, disk) => takeLock(locksOf(folders, lane), run, await ownIdentity(), disk),
    canStop: ({ common }) => common.workload !== undefined,
    isStopped: ({ name }) => exists(stoppedMark(config, name)),
    workload: ({ name, common }, { ownDisk, step }) =>
      commandWorkload({
        app: name,
        commands: common.workload,
        markPath: stoppedMark(config, name),
        disk: ownDisk,
        step,
      }),
    lost: async (app) => (await lostRuns(runs, app)).map((run) => ({ run })),
    close: (id) => closeRun(runs, id),
  };
}

/** Where runs of this machine have their folders. */
export const runsFolder = (config: Config) => join(config.state, "runs");

/** Where this machine remembers that it stopped an app. */
const stoppedMark = (config: Config, app: string) => join(config.state, "workloads", app, "stopped.json");

const exists = (path: string) =>
  access(path).then(
    () => true,
    () => false,
  );
