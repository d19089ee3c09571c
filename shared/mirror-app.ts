import type { Facts, RunContext, Source, TypeBase } from "./app.ts";
import type { Manifest } from "./nas/points.ts";
import type { Adoption, Outcome } from "./run/report.ts";

/** An app whose one backup is a tree of files on the NAS that follows the data: its newest state only. */
export interface MirrorType<Settings, Src extends MirrorSource = MirrorSource> extends TypeBase<Settings> {
  readonly mirror: {
    /** Below the app's folder on the NAS: "backups/models"; "." for the app's folder itself. */
    readonly folder: string;
    /** Below `folder`: what has to be there for there to be a backup. "index.html", "manifests". */
    readonly anchor: string;
  };
  /** What `only` of a restore names, when part of the mirror can be restored alone: "model". */
  readonly part?: string;
  /** Has a function `cleanup-<type>`: its backup module has `cleanup`. */
  readonly cleans?: true;
  /** Told when something new was published. It wakes the cleanup function, which a run then leaves the cleaning to. */
  readonly announces?: NonNullable<Outcome["announces"]>;
  loadBackup(): Promise<MirrorApp<Settings, Src>>;
}

/** A mirror's data as `examine` found it. */
export interface MirrorSource extends Source {
  /** Complete: when it is as it was, and the NAS too, there is nothing to do. */
  readonly fingerprint: string;
  /** Why this is not the time (a download is under way); the run ends well, and nothing is stopped or copied. */
  readonly postponed?: string;
}

/** What stands on the NAS. */
export interface PublishedMirror {
  /** The mirror's folder, absolute. */
  readonly root: string;
  /** The manifest of the last publish: its files, its facts. Absent before the first, or when the incumbent made it. */
  readonly manifest?: Manifest;
}

export interface MirrorApp<Settings, Src extends MirrorSource = MirrorSource> {
  /**
   * Brings the data up to date (renders), finds it, and says what it is. Changes nothing on the NAS.
   * @throws {Failure} `source_missing`, `source_empty`, `source_invalid`, `source_unreachable`.
   */
  examine(ctx: RunContext<Settings>, published: PublishedMirror): Promise<Src>;
  /**
   * "no": the app runs on. "sync": it is stopped for the whole copying. "end": what has no `closes` is copied while it
   * runs, and only the rest when it is stopped. `examine` and `plan` are called once more when it is down.
   */
  stops?(ctx: RunContext<Settings>, source: Src): Promise<"no" | "sync" | "end">;
  /**
   * On a cluster, with the lock and before `examine`, when a container of another image does part of the work: lays out
   * in `ctx.companion` what that needs.
   */
  prepare?(ctx: RunContext<Settings>): Promise<void>;
  /** What shall stand on the NAS, and what of it has to go. */
  plan(ctx: RunContext<Settings>, source: Src, published: PublishedMirror): Promise<MirrorPlan>;
  /**
   * Removes what nothing refers to any more, found by looking at the NAS and the source, not at what is remembered: a
   * run that was killed may have left anything. Called on request, and at the end of each backup but
   * one that wakes the cleanup function (docs/adr/0009).
   * @returns What was removed, for people: paths.
   */
  cleanup?(ctx: RunContext<Settings>, published: PublishedMirror): Promise<string[]>;
  /** Reads what another system has left at `root` on the NAS, and says what of it is whole. Changes nothing. */
  survey?(ctx: RunContext<Settings>, root: string): Promise<Adoption>;
}

export interface MirrorPlan {
  /** In the order in which they are put in place: each is verified, and on the disk, before a later one is. */
  readonly units: readonly MirrorUnit[];
  /** Paths of the last manifest's files that stay part of the backup though the source has them no more. */
  readonly keep: readonly string[];
  readonly facts: Facts;
}

/** What is put in place at once: a file, or a folder of files. */
export type MirrorUnit = MirrorFile | MirrorFolder;

export interface MirrorFile {
  readonly kind: "file";
  /** Below the root, with "/" between its parts. */
  readonly path: string;
  /** An absolute path at the source, or the content of a small file. */
  readonly from: string | Uint8Array;
  readonly sizeBytes: number;
  /** Lower-case hex. When it is known before: other content is left out, with a warning. */
  readonly sha256?: string;
  /** Paths of units before it without which it is worth nothing: it is left out with any of them. */
  readonly needs?: readonly string[];
  /** Put in place only when the app is down (`stops` "end"). */
  readonly closes?: true;
}

export interface MirrorFolder {
  readonly kind: "folder";
  readonly path: string;
  readonly sizeBytes: number;
  /** Complete, of the source (`source/tree-fingerprint.ts`): the same means that nothing is read. */
  readonly fingerprint: string;
  /** The fingerprint as it is now: another one after the copy means that the source moved meanwhile. */
  look(): Promise<string>;
  /** All files of the folder, sorted by path. May be called more than once. */
  files(): AsyncIterable<MirrorFolderFile>;
  readonly closes?: true;
}

export interface MirrorFolderFile {
  /** Below the folder. */
  readonly path: string;
  /** Absolute. */
  readonly from: string;
  readonly sizeBytes: number;
}

/** A mirror as a restore reads it. */
export interface MirrorTree {
  readonly root: string;
  /** Units with their sizes, and sha256 where they are known. Without a manifest: empty, look for yourself. */
  readonly files: Manifest["files"];
  /** The files of a folder unit with their sha256, from the NAS's list, itself checked; sorted by path. */
  filesOf(unit: string): AsyncIterable<{ path: string; sha256: string }>;
}
