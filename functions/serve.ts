import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openBell } from "../events/nats/bell.ts";
import { Door } from "../shared/serve/door.ts";
import { Hand } from "../shared/serve/hand.ts";
import { readServeSettings } from "../shared/serve/settings.ts";
import { programPath } from "./programs.ts";

/*
 * One function as a process, `node functions/serve.ts`: its door, which is all that is there while nobody calls, and so
 * imports next to nothing. Environment: KEEPSAKE_FUNCTION (its name), KEEPSAKE_CONFIG (path of keepsake.yaml), and what
 * shared/serve/settings.ts reads.
 */
export async function main(): Promise<void> {
  const name = process.env.KEEPSAKE_FUNCTION || "function";
  // As the lines of pino, which is not worth its memory here.
  const log = (msg: string) =>
    process.stderr.write(`${JSON.stringify({ level: 30, time: Date.now(), pid: process.pid, name, msg })}\n`);
  const folder = mkdtempSync(join(tmpdir(), "keepsake-"));
  const end = (status: number) => {
    rmSync(folder, { recursive: true, force: true });
    process.exit(status);
  };
  try {
    const settings = readServeSettings(process.env);
    const socketPath = join(folder, "answer");
    // The second start is shorter than the first: what was compiled stays, for as long as the door is there.
    process.env.NODE_COMPILE_CACHE ??= join(folder, "compiled");
    const command = [process.execPath, ...process.execArgv, programPath("answer")] as const;
    const hand = new Hand({ command, socketPath, log, openBell });
    let isUp = false;
    let isEnding = false;
    const door = new Door({ settings, hand, socketPath, log, isReady: () => isUp });
    // Before the function is there: whoever starts fifteen at once, as a node that boots, soon takes a port that is not open
    // for dead. And before it can be told to end: as process 1 of a container it would not hear of it.
    const port = await door.open();
    for (const signal of ["SIGTERM", "SIGINT"] as const) {
      process.once(signal, () => {
        isEnding = true;
        void door.close().then(() => end(0));
      });
    }
    log(`${name} listens on ${settings.host}:${port}`);
    // Also so that a configuration that cannot be used is found now, and not by the first caller.
    await hand.start().catch((error) => {
      if (!isEnding) throw error;
    });
    isUp = true;
  } catch (error) {
    log((error as Error).message);
    end(1);
  }
}

if (import.meta.main) void main();
