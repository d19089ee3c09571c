import { type AnyAppType, isMirror } from "../../../shared/app.ts";
import type { AppConfig } from "../../../shared/config.ts";

/** An app of the configuration, as far as whoever has no NAS needs it. */
export interface WatchedApp {
  readonly name: string;
  readonly type: string;
  readonly title: string;
  /** "backup-factorio", "render-mapshot": answers for all apps of its type. */
  readonly backupFunction: string;
  readonly restoreFunction: string;
  /** Of types with leftovers to remove after a backup. */
  readonly cleanupFunction?: string;
  readonly keep: number;
  /** Within so many days all its backups are read back. */
  readonly scrubDays: number;
  readonly hasDrill: boolean;
}

export const watchedApp = ({ name, type, keep, common }: AppConfig): WatchedApp => ({
  name,
  type: type.type,
  title: titleOf(name, type),
  backupFunction: `${type.verb ?? "backup"}-${type.type}`,
  restoreFunction: `restore-${type.type}`,
  ...(isMirror(type) && type.cleans && { cleanupFunction: `cleanup-${type.type}` }),
  keep,
  scrubDays: common.scrubDays,
  hasDrill: type.loadDrill !== undefined,
});

/** Two apps of one type are told apart. */
const titleOf = (name: string, { type, title }: AnyAppType) => (name === type ? title : `${title} (${name})`);
