import type { z } from "zod";
import type { KubernetesDefaults } from "./cluster/settings.ts";
import type { Disk, Written } from "./disk.ts";
import type { FailureCode } from "./failures.ts";
import type { FileWorker } from "./file-worker.ts";
import type { Logger } from "./log.ts";
import type { MirrorTree, MirrorType } from "./mirror-app.ts";
import type { HistoryNaming } from "./nas/naming.ts";
import type { RestorePoint } from "./nas/points.ts";
import type { ReadBack } from "./nas/read-back.ts";
import type { Operation, Override, RunDescription } from "./run/description.ts";
import type { Step } from "./step.ts";

/*
 * What an app type is to the core. A type is a folder in functions/ with three files:
 * app.ts exports `app: AppType` or `app: MirrorType` (all that an idle function loads), backup.ts exports
 * `backup: BackupApp` or `backup: MirrorApp`, restore.ts exports `restore: RestoreApp`. A fourth, drill.ts, exports
 * `drill: DrillApp`: without it a drill proves nothing.
 */

// biome-ignore lint/suspicious/noExplicitAny: a registry of apps holds types with different settings
export type AnyAppType = AppType<any, any> | MirrorType<any, any>;

/** What every type has; `mirror-app.ts` has the other kind. */
export interface TypeBase<Settings> {
  /** The type's folder in functions/, and the default name of its one app. */
  readonly type: string;
  /** For people: "Factorio". */
  readonly title: string;
  /** The app's own settings in keepsake.yaml, with the asker's site as defaults. A strict object. */
  readonly settings: z.ZodType<Settings>;
  /** Where the data is, written the same way for the same data: no two apps may have it in one place. */
  place?(settings: Settings): string;
  /** Where an app of this type is on the asker's cluster. */
  readonly kubernetes?: KubernetesDefaults;
  /** Which runs on a cluster have more than the runner in their pod: the suffix of their CronJob's name, "render". */
  jobShape?(operation: Operation, settings: Settings): string | undefined;
  /** What its backup function is called: `<verb>-<type>`. "backup" when absent. */
  readonly verb?: "backup" | "render";
  loadRestore(): Promise<RestoreApp<Settings>>;
  /** How a backup is proven restorable; without it a drill cannot tell. */
  loadDrill?(): Promise<DrillApp<Settings>>;
}

/** An app whose backups are restore points: the newest is `latest.*`, older ones are in history/. */
export interface AppType<Settings, Src extends Source = Source> extends TypeBase<Settings> {
  /** Restore points kept when the settings do not say otherwise. */
  readonly keep: number;
  /** The files of a restore point. One that a point lacks is optional (a world that comes with the game). */
  readonly artefacts: readonly Artefact[];
  loadBackup(): Promise<BackupApp<Settings, Src>>;
}

export const isMirror = (type: AnyAppType): type is Extract<AnyAppType, { mirror: unknown }> => "mirror" in type;

/** One file of a restore point: `backups/<latest>` and, by its naming, `backups/history/<name>`. */
export interface Artefact {
  /** Names it within the app: "save". */
  readonly kind: string;
  /** "latest.zip" */
  readonly latest: string;
  readonly naming: HistoryNaming;
}

/** What the steps of one run of one app are given. */
export interface RunContext<Settings = unknown> {
  readonly app: { readonly name: string; readonly type: string; readonly title: string };
  readonly settings: Settings;
  readonly run: RunDescription;
  /** Changes to files. */
  readonly disk: Disk;
  /** Any other change: an SQL statement, a command. */
  readonly step: Step;
  readonly log: Logger;
  /** Aborts when the run is cancelled, or its lock is lost. */
  readonly signal: AbortSignal;
  readonly now: () => number;
  /** A folder of this machine for this run alone, which only this user can read; gone when the run ends. */
  scratch(): Promise<string>;
  /** A folder shared with a container that does part of the work: what a run on a cluster cannot start itself. */
  readonly companion?: string;
  /** Whether the app can be stopped and started where the run is: its settings have a workload. */
  readonly canStop: boolean;
  /**
   * Restore points of an app of the configuration, oldest first.
   * @throws {Failure} `invalid_config` when there is no such app, `nas_unreachable`.
   */
  pointsOf(app: string): Promise<RestorePoint[]>;
  allows(override: Override): boolean;
  /** Tells whoever follows the run. `phase` is a short verb phrase: "copying", "verifying". */
  progress(phase: string, doneBytes?: number, totalBytes?: number): void;
  /** Something that the user should know though the run goes on; it is part of the result. */
  warn(message: string): void;
}

/** Which data this is, apart from what is in it now: a map's id, a database system's identifier, a store. */
export interface Identity {
  /** Stays the same as long as it is the same world, server or store. */
  readonly id: string;
  /** For people: "map 3f2a…", "PostgreSQL system 7312…, database shared". */
  readonly label: string;
}

/** The data as `examine` found it. An app adds what its own `capture` needs. */
export interface Source {
  /** Absent when this app cannot tell one source from another. */
  readonly identity?: Identity;
  /** What is compared with the restore point before, to notice that most of the data is gone. */
  readonly sizeBytes?: number;
  /**
   * A complete stat fingerprint (`source/fingerprint.ts`): equal means that no byte was touched since, so nothing
   * is read again. Absent when only reading can tell.
   */
  readonly fingerprint?: string;
  /** The same by artefact, for those that are gated apart: what is untouched is not captured again. */
  readonly fingerprints?: ReadonlyMap<string, string>;
}

/** The source that the newest point was made of. One with the same fingerprint is the same, so need not be read. */
export interface KnownSource {
  readonly fingerprint: string;
  readonly identity?: Identity;
}

/** A JSON object: what an app records about a restore point in its manifest. */
export type Facts = { readonly [key: string]: unknown };

export interface BackupApp<Settings, Src extends Source = Source> {
  /**
   * Finds the data, makes the disk current (a save in the game), and says what it is. Changes nothing on the NAS.
   * @throws {Failure} `source_missing`, `source_empty`, `source_unreachable`.
   */
  examine(ctx: RunContext<Settings>, known?: KnownSource): Promise<Src>;
  /**
   * Whether the app is stopped while the data is captured. Asked only when something may have changed; the app is
   * brought back right after the capture, however that ended, and `examine` is called once more when it is down.
   */
  stops?(ctx: RunContext<Settings>, source: Src): Promise<boolean>;
  /**
   * Streams the data into the stage, one file for each artefact, but those in `stage.untouched`.
   * @throws {Failure} `source_changing` when the data kept moving, `source_invalid`, `tool_failed`.
   */
  capture(ctx: RunContext<Settings>, source: Src, stage: Stage): Promise<Capture>;
  /**
   * Proves the files of a restore point, staged or published, by reading all of them.
   * The core compares sizes and sha256 itself; this looks at what the bytes mean. A backup hands in the files that it
   * has written, without those that it takes over from the point before; a restore all of them.
   * @param options.about By artefact: `Capture.about` as the manifest kept it. What it says may be a lie.
   * @throws {Failure} `backup_damaged` (which file, where, why), `backup_hostile`.
   */
  verify(files: ReadonlyMap<string, ReadBack>, options: VerifyOptions): Promise<Verified>;
  /** What a user should know of how a new point differs from the one before: another version of the game. Only told. */
  changes?(before: Facts, now: Facts): string[];
}

export interface VerifyOptions {
  readonly signal?: AbortSignal;
  readonly about?: ReadonlyMap<string, Facts>;
  /** `RunContext.scratch`, for what can only be proven as a file of this machine. */
  scratch(): Promise<string>;
  readonly disk: Disk;
}

export interface Verified {
  readonly facts: Facts;
  readonly identity?: Identity;
  /** As in `Source`, for files of the incumbent's, whose own size says little. */
  readonly sizeBytes?: number;
}

/** Where a capture writes: files under hidden names on the NAS, not yet a backup. */
export interface Stage {
  /** Artefacts whose `Source.fingerprints` say that the newest point has them as they are: they need not be written. */
  readonly untouched: ReadonlySet<string>;
  /**
   * Writes the file of one artefact in one pass.
   * @param kind Which artefact.
   * @param bytes The content.
   * @param totalBytes For the progress, when it is known.
   */
  write(kind: string, bytes: AsyncIterable<Uint8Array>, totalBytes?: number): Promise<Written>;
}

export interface Capture {
  /** The moment that the copy shows, in ms since the epoch: names and mtimes come from it. */
  readonly takenAtMs: number;
  /**
   * By artefact that was written: what the data is, whatever its container looks like. Two captures of equal data
   * have equal checksums: then the file of the point before is taken over.
   */
  readonly checksums: ReadonlyMap<string, string>;
  /** Artefacts that were not written because `Stage.untouched` has them: the point takes them over. */
  readonly untouched?: ReadonlySet<string>;
  /** For namings with a label: what stands in the names of the files. */
  readonly label?: string;
  /** By artefact that was written: what helps to read the file again, kept with it (the blocks of an archive). */
  readonly about?: ReadonlyMap<string, Facts>;
  /** As in `Source`, when only the capture can tell. */
  readonly sizeBytes?: number;
  readonly fingerprint?: string;
  readonly fingerprints?: ReadonlyMap<string, string>;
  /** About the point as a whole. */
  readonly facts?: Facts;
}

export interface RestoreApp<Settings> {
  /** Whether the app is stopped before its data is replaced. */
  readonly needsStop: boolean;
  /**
   * Whether a point whose files are those of its manifest is not asked once more what its bytes mean
   * (`BackupApp.verify`): that was proven when it was made. Its `stage` and `place` promise in turn to read the whole of
   * each file, to check its container, and to fail when it has not the sha256 of `PointFacts.sha256s`; before them only
   * its size and CRC-32 are compared, where the manifest has one. It may use `PointFacts.worker`.
   */
  readonly trustsChecksums?: true;
  /** Tells the players, and gives them time. Failing here does not fail the restore; it is warned about. */
  beforeStop?(ctx: RunContext<Settings>): Promise<void>;
  /** The place where restored data goes. Opens nothing that has to be closed. */
  target(ctx: RunContext<Settings>): RestoreTarget;
}

/**
 * A restore into scratch space, and the comparison of what it brought with what was recorded when the point was made.
 * The core stages, swaps and commits with the app's own `RestoreApp.target`, given these settings.
 */
export interface DrillApp<Settings> {
  /** By what kept a drill from its end: what to do, where that is another thing than what a restore says. */
  readonly remedies?: Partial<Record<FailureCode, string>>;
  /** Bytes of scratch that the restored data takes, at most. */
  neededBytes(point: RestorePoint): number;
  /**
   * @param folder Empty, and gone after the drill.
   * @throws {Failure} `tool_missing`, `no_space`…: then the drill is inconclusive.
   */
  open(ctx: RunContext<Settings>, point: RestorePoint, folder: string): Promise<DrillPlace<Settings>>;
  /**
   * Looks at what was restored. A point that has no manifest, or an older one, is compared with what it has.
   * @param ctx Its settings are those of `open`.
   * @returns What was compared, for people: "6 tables, 1200 rows".
   * @throws {Failure} `backup_damaged` when it is not what was recorded.
   */
  compare(ctx: RunContext<Settings>, point: RestorePoint): Promise<string[]>;
  /** Ends what a drill that was killed has left running, before its folder is removed. */
  endLeft?(ctx: RunContext<Settings>, folder: string): Promise<void>;
}

export interface DrillPlace<Settings> {
  /** The app's own, but with a place in scratch for its data, and without a way to the running app. */
  readonly settings: Settings;
  /** Overrides that are harmless there. */
  readonly allow?: readonly Override[];
  close?(): Promise<void>;
}

/**
 * The app's present data, and the way to replace it whole or not at all. Every method journals beside the data what
 * it does, so that `recover` in another process can finish it or undo it after a crash at any point.
 * The order is stage, swap, then commit or rollBack.
 */
export interface RestoreTarget {
  /**
   * Undoes a swap that was not committed, removes what was staged, and finishes what was committed.
   * The first thing of every run.
   * @param stopApp Awaited before data is moved under the app: a run killed late can leave it running.
   */
  recover(stopApp: () => Promise<void>): Promise<Recovered>;
  /** What would be replaced; undefined when there is nothing. Read only. */
  present(): Promise<PresentData | undefined>;
  /** Puts verified files beside the present data, verified once more as they arrive there. The app is not touched. */
  stage(files: ReadonlyMap<string, ReadBack>, point: PointFacts): Promise<void>;
  /** Puts a set-aside state in the place of a staged one (undo). */
  stageAside(aside: Aside): Promise<void>;
  /** Sets the present data aside and puts what is staged in its place. */
  swap(): Promise<void>;
  /** Puts the present data back. */
  rollBack(): Promise<void>;
  /** Keeps the swap: closes the journal; what was set aside stays. */
  commit(): Promise<void>;
  /** What was set aside, newest first. */
  asides(): Promise<Aside[]>;
  removeAside(aside: Aside): Promise<void>;
  /**
   * `TO=`: restores beside production, touching nothing of it.
   * @returns Where it is, for people.
   * @throws {Failure} `target_exists`, `target_invalid`.
   */
  place(files: ReadonlyMap<string, ReadBack>, point: PointFacts, to: string): Promise<string>;
}

/** What a manifest says of the point that is being restored; a file of the incumbent's has no manifest, so no facts. */
export interface PointFacts {
  readonly id: string;
  readonly takenAtMs: number;
  /** What stands in the names of its files: 7DTD's world. */
  readonly label?: string;
  /** By artefact: `Capture.about`. */
  readonly about?: ReadonlyMap<string, Facts>;
  /** By artefact: what its file has to have. */
  readonly sha256s?: ReadonlyMap<string, string>;
  /** Ready to write what they hold: it was started while they were looked at. Absent where it gains nothing. */
  readonly worker?: FileWorker;
  /** Of a mirror: where its files are; the map of files is empty then. */
  readonly tree?: MirrorTree;
  /** The one part that is wanted (`MirrorType.part`); absent means everything. */
  readonly only?: string;
  readonly facts?: Facts;
  readonly identity?: Identity;
}

export interface Recovered {
  readonly action: "nothing" | "rolled_back" | "rolled_forward" | "cleaned";
  /** The run that left it. */
  readonly runId?: string;
}

export interface PresentData {
  readonly sizeBytes?: number;
  /** When it last changed, in ms since the epoch. */
  readonly changedAtMs?: number;
  /** For people: "4 saves, newest _autosave2.zip". */
  readonly label: string;
  readonly identity?: Identity;
}

export interface Aside {
  /** The run that set it aside. */
  readonly id: string;
  readonly setAsideAtMs: number;
  readonly sizeBytes?: number;
  readonly label: string;
}
