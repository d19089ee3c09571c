import { spawn } from "node:child_process";
import { access, readFile } from "node:fs/promises";
import { join } from "node:path";
import type { RunContext } from "../../shared/app.ts";
import { temporaryFor } from "../../shared/disk.ts";
import { Failure } from "../../shared/failures.ts";
import { namesIn } from "../../shared/nas/points.ts";

const installer = /^factorio-space-age_.*\.tar\.xz$/;
/** Which installer was unpacked; written when all of it is in place. */
const markName = ".keepsake-installer";

/**
 * Unpacks the newest installer that lies on the NAS, once: until there is another one. What Factorio itself has written
 * beside its programs (mods, renders) stays.
 * @param from The game's folder on the NAS. @param into Factorio's own folder.
 * @throws {Failure} `tool_missing` when there is neither an installer nor a Factorio, `tool_failed`.
 */
export async function installFactorio(
  { disk, step, signal, progress }: Pick<RunContext, "disk" | "step" | "signal" | "progress">,
  { from, into }: { from: string; into: string },
): Promise<void> {
  const byVersion = new Intl.Collator("en", { numeric: true }).compare;
  const newest = (await namesIn(from))
    .filter((name) => installer.test(name))
    .sort(byVersion)
    .at(-1);
  const mark = join(into, markName);
  if (newest === undefined) {
    if (await isThere(join(into, "bin/x64/factorio"))) return listMods(disk, into);
    throw new Failure("tool_missing", `Cannot render: Factorio is wanted in "${into}", is not there`, {
      hint: `Put its installer, the full game for Linux with Space Age, on the NAS: "${join(from, "factorio-space-age_linux_….tar.xz")}".`,
    });
  }
  if ((await readFile(mark, "utf8").catch(() => "")).trim() === newest) return listMods(disk, into);
  progress("unpacking Factorio");
  const fresh = temporaryFor(into);
  await disk.makeDir(fresh);
  try {
    await step(`unpack ${newest}`, () => unpack(join(from, newest), fresh, signal));
    await disk.makeDir(into);
    await disk.remove(mark);
    for (const name of await namesIn(fresh)) {
      await disk.removeTree(join(into, name));
      await disk.rename(join(fresh, name), join(into, name));
    }
    await disk.replace(mark, `${newest}\n`);
  } finally {
    await disk.removeTree(fresh);
  }
  await listMods(disk, into);
}

/**
 * Mapshot wants a list of mods beside Factorio, which Factorio itself writes when it is first started. It renders with
 * those that are enabled there, not with the save's: a list that somebody has written stays.
 */
async function listMods(disk: RunContext["disk"], into: string): Promise<void> {
  const path = join(into, "mods/mod-list.json");
  if (await isThere(path)) return;
  const mods = ["base", "elevated-rails", "quality", "space-age"].map((name) => ({ name, enabled: true }));
  await disk.makeDir(join(into, "mods"));
  await disk.replace(path, `${JSON.stringify({ mods }, null, 2)}\n`);
}

/** tar leaves out what would lead out of the folder, and xz knows damage by its checksums. */
function unpack(archive: string, folder: string, signal: AbortSignal): Promise<void> {
  const args = ["-xJf", archive, "-C", folder, "--strip-components=1", "--no-same-owner"];
  return new Promise((resolve, reject) => {
    const child = spawn("tar", args, { stdio: ["ignore", "ignore", "pipe"], signal });
    let said = "";
    child.stderr.setEncoding("utf8").on("data", (text: string) => {
      said = (said + text).slice(-1000);
    });
    child.on("error", (cause) => {
      reject(
        signal.aborted ? cause : new Failure("tool_missing", `Cannot unpack "${archive}": ${cause.message}`, { cause }),
      );
    });
    child.on("close", (code) => {
      if (code === 0) resolve();
      else
        reject(
          new Failure(
            "tool_failed",
            `Cannot unpack "${archive}": exit status 0 of tar is wanted, is ${code}: ${said.trim()}`,
            {
              hint: "Is it whole? Download it again.",
            },
          ),
        );
    });
  });
}

const isThere = (path: string) =>
  access(path).then(
    () => true,
    () => false,
  );
