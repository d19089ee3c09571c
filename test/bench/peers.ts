import { execFileSync } from "node:child_process";

/** The programs that the benchmark compares with, or looks through, and the Debian packages that have them. */
const packages: Readonly<Record<string, string>> = {
  pigz: "pigz",
  restic: "restic",
  borg: "borgbackup",
  rsync: "rsync",
  rclone: "rclone",
  strace: "strace",
  bash: "bash",
  tar: "tar",
};

/**
 * Brings what is missing, as root on Debian.
 * @throws {Error} With the line to type, elsewhere.
 */
export function bringPeers(say: (line: string) => void): void {
  const missing = Object.keys(packages).filter((program) => !has(program));
  if (missing.length === 0) return;
  const names = missing.map((program) => packages[program] as string);
  const line = `apt-get update && apt-get install -y --no-install-recommends ${names.join(" ")}`;
  if (process.getuid?.() !== 0 || !has("apt-get")) {
    throw new Error(`Cannot compare: ${missing.join(", ")} are wanted. On Debian type: sudo sh -c '${line}'`);
  }
  say(`Installing ${names.join(", ")} (apt-get install)`);
  execFileSync("sh", ["-c", line], {
    stdio: ["ignore", "ignore", "inherit"],
    env: { ...process.env, DEBIAN_FRONTEND: "noninteractive" },
  });
}

function has(program: string): boolean {
  try {
    execFileSync("sh", ["-c", `command -v ${program}`], { stdio: "ignore" });
    return true;
  } catch {
    return false;
  }
}

/** The first line that a program says of its version. */
export function versionOf(program: string, ...args: string[]): string {
  const text = execFileSync("sh", ["-c", `${program} ${args.join(" ") || "--version"} 2>&1`], { encoding: "utf8" });
  return (text.split("\n")[0] ?? "").trim();
}
