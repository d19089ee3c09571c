import type { Command, LocalCommand } from "./command.ts";
import { deploy, undeploy } from "./commands/deploy.ts";
import { doctor } from "./commands/doctor.ts";
import { list } from "./commands/list.ts";
import { retryParked, testTelegram } from "./commands/notify.ts";
import { restore, undoRestore } from "./commands/restore.ts";
import { restoreAll } from "./commands/restore-all.ts";
import { accept, adopt, backup, cancel, cleanup, drill, pause, pin, resume, scrub, unpin } from "./commands/runs.ts";
import { status } from "./commands/status.ts";

/** In the order of the help. */
export const commands: readonly (Command | LocalCommand)[] = [
  backup, list, restore, restoreAll, undoRestore, pin, unpin, accept, adopt, cleanup, cancel, scrub, drill, pause, resume, status, doctor, deploy, undeploy,
  testTelegram, retryParked,
]; // biome-ignore format: one line reads better
