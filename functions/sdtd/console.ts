import { readFile } from "node:fs/promises";
import type { RunContext } from "../../shared/app.ts";
import { Failure } from "../../shared/failures.ts";
import type { Settings } from "./app.ts";
import { connectTelnet, type Telnet } from "./telnet.ts";
import { TelnetError } from "./telnet-error.ts";

type TelnetSettings = NonNullable<Settings["telnet"]>;

/**
 * Has the game save, and waits until it says that it has. A server that is stopped, is not up yet, or does not answer,
 * is only warned about: what it saved last is on disk.
 * @returns What the console says is played.
 * @throws {Failure} `source_unreachable` for a wrong password, `invalid_config`.
 */
export async function saveThroughConsole(
  ctx: RunContext<Settings>,
  settings: TelnetSettings,
): Promise<{ world?: string; game?: string }> {
  try {
    const telnet = await openConsole(ctx, settings);
    try {
      ctx.progress("saving in the game");
      const answer = await ctx.step("send saveworld to the game", () => telnet.command("saveworld"));
      if (!answer.includes("World saved")) {
        ctx.warn(`The game was told to save and said: ${answer.join(" ").slice(0, 200) || "nothing"}`);
      }
      return telnet;
    } finally {
      telnet.close();
    }
  } catch (error) {
    if (!(error instanceof TelnetError)) throw error;
    ctx.warn(`The game could not be told to save (${error.message}), so what it saved last is taken`);
    return {};
  }
}

/**
 * @throws {TelnetError} When the server is not reachable.
 * @throws {Failure} `source_unreachable` for a wrong password, `invalid_config` when there is no password to send.
 */
export async function openConsole({ signal }: Pick<RunContext, "signal">, settings: TelnetSettings): Promise<Telnet> {
  const { host, port, passwordFile, timeoutSeconds } = settings;
  const password = await readFile(passwordFile, "utf8").catch((cause: Error) => {
    throw new Failure("invalid_config", `Cannot read the console's password: ${cause.message}`, { cause });
  });
  try {
    return await connectTelnet({ host, port, password: password.trim(), timeoutMs: timeoutSeconds * 1000, signal });
  } catch (cause) {
    if (!(cause instanceof TelnetError) || cause.kind !== "wrong_password") throw cause;
    throw new Failure("source_unreachable", `Cannot log in to the game at ${host}:${port}: ${cause.message}`, {
      cause,
      hint: `Put the server's TelnetPassword into "${passwordFile}".`,
    });
  }
}

/** @returns How many play; undefined when the answer is none that is known. */
export async function playersOnline(telnet: Telnet): Promise<number | undefined> {
  const answer = await telnet.command("listplayers");
  const total = answer
    .map((line) => /^Total of (\d+) in the game$/.exec(line)?.[1])
    .find((count) => count !== undefined);
  return total === undefined ? undefined : Number(total);
}

/** Says something in the game's chat. */
export async function say(telnet: Telnet, text: string): Promise<void> {
  await telnet.command(`say "${text.replaceAll('"', '""')}"`);
}
