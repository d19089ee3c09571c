import { readdir, readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import type { RunContext } from "../../shared/app.ts";
import { Failure } from "../../shared/failures.ts";
import type { Settings } from "./app.ts";
import { connectRcon, type Rcon } from "./rcon.ts";
import { RconError } from "./rcon-error.ts";
import { listSaves } from "./saves-folder.ts";

type RconSettings = NonNullable<Settings["rcon"]>;

/**
 * Has the game save, and waits until the save is on disk. A server that is stopped, or does not answer, is only warned
 * about: its newest save is on disk already.
 * @throws {Failure} `source_unreachable` for a wrong password, `invalid_config`.
 */
export async function saveThroughRcon(ctx: RunContext<Settings>, settings: RconSettings): Promise<void> {
  const { folder, before } = { folder: ctx.settings.saves, before: await newestIn(ctx.settings.saves) };
  try {
    const rcon = await openRcon(ctx, settings);
    try {
      ctx.progress("saving in the game");
      const line = settings.saveName === undefined ? "/server-save" : `/server-save ${settings.saveName}`;
      const answer = await ctx.step(`send ${line} to the game`, () => rcon.command(line));
      // Answered, but not with "Saving the map": then no save will come, so nobody waits for one.
      if (!/saving/i.test(answer)) ctx.warn(`The game was told to save and said: ${answer.slice(0, 200) || "nothing"}`);
      else if (!(await appears(folder, before, settings.timeoutSeconds * 1000, ctx.signal))) {
        ctx.warn(`The game said that it saves, but no newer save came to "${folder}": is this its folder?`);
      }
    } finally {
      rcon.close();
    }
  } catch (error) {
    if (!(error instanceof RconError)) throw error;
    ctx.warn(`The game could not be told to save (${error.message}), so the newest save on disk is taken`);
  }
}

/**
 * @throws {RconError} When the server is not reachable.
 * @throws {Failure} `source_unreachable` for a wrong password, `invalid_config` when there is no password to send.
 */
export async function openRcon({ signal }: Pick<RunContext, "signal">, settings: RconSettings): Promise<Rcon> {
  const { host, port, passwordFile, timeoutSeconds } = settings;
  const password = await readFile(passwordFile, "utf8").catch((cause: Error) => {
    throw new Failure("invalid_config", `Cannot read the RCON password: ${cause.message}`, { cause });
  });
  try {
    return await connectRcon({ host, port, password: password.trim(), timeoutMs: timeoutSeconds * 1000, signal });
  } catch (cause) {
    if (!(cause instanceof RconError) || cause.kind !== "wrong_password") throw cause;
    throw new Failure("source_unreachable", `Cannot log in to the game at ${host}:${port}: ${cause.message}`, {
      cause,
      hint: `Put the server's RCON password (its file rconpw) into "${passwordFile}".`,
    });
  }
}

/**
 * A server that blocks while it saves has saved by now; one that saves in the background is waited for: until there is
 * a newer save, and none half written.
 */
async function appears(folder: string, before: string, timeoutMs: number, signal: AbortSignal): Promise<boolean> {
  const sinceMs = Date.now();
  while ((await newestIn(folder)) === before || (await isWriting(folder, sinceMs))) {
    if (Date.now() - sinceMs > timeoutMs) return false;
    await delay(100, undefined, { signal });
  }
  return true;
}

async function newestIn(folder: string): Promise<string> {
  const [newest] = await listSaves(folder).catch(() => []);
  return newest ? `${newest.name} ${newest.stat.ino} ${newest.stat.mtimeMs} ${newest.stat.size}` : "";
}

/** A stale `.tmp.zip` of a killed server stays as it is; one that is being written grows. */
async function isWriting(folder: string, sinceMs: number): Promise<boolean> {
  const names = (await readdir(folder)).filter((name) => name.endsWith(".tmp.zip"));
  const times = await Promise.all(
    names.map((name) =>
      stat(join(folder, name)).then(
        ({ mtimeMs }) => mtimeMs,
        () => 0,
      ),
    ),
  );
  return times.some((ms) => ms >= sinceMs - 1000);
}
