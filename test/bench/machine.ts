import { cpus, release, totalmem } from "node:os";
import { versionOf } from "./peers.ts";

/** Where and with what it was measured, for the document: one fact a line. */
export function describeMachine(): string[] {
  const [cpu] = cpus();
  return [
    `${cpus().length} cores (${cpu?.model.trim() ?? "unknown"}), ${Math.round(totalmem() / 2 ** 30)} GiB of memory, Linux ${release()}`,
    `Node ${process.version}, ${versionOf("restic", "version")}, ${versionOf("borg")}, ${versionOf("pigz")}, ${versionOf("rsync")}, ${versionOf("rclone")}, ${versionOf("tar")}`,
    new Date().toISOString().slice(0, 10),
  ];
}
