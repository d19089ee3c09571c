import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type Outcome, type RunView, StateView } from "../../../shared/run/report.ts";
import { tempFolder } from "../../../shared/testing.ts";
import { command } from "../install/command.ts";
import type { Lab } from "./lab.ts";

/** Starts a run as anybody with the token does, and waits for its outcome. */
export async function run({ gateway, token }: Lab, fn: string, request: object = {}): Promise<Outcome> {
  const answer = await fetch(`${gateway.url}/function/${fn}`, {
    method: "POST",
    headers: { accept: "application/json", authorization: `Bearer ${token}` },
    body: JSON.stringify(request),
  });
  const text = await answer.text();
  const told = JSON.parse(text) as RunView & { run?: RunView };
  const { outcome } = told.run ?? told;
  if (!outcome) throw new Error(`Cannot see how the run ended: ${answer.status} ${text}`);
  return outcome;
}

/** How the last run of an app ended, as its function knows from the NAS. */
export async function lastOutcome({ gateway }: Lab, fn: string): Promise<Outcome | undefined> {
  const answer = await fetch(`${gateway.url}/function/${fn}`, { headers: { accept: "application/json" } });
  return StateView.parse(await answer.json()).apps[0]?.lastOutcome;
}

/** What `make` does, by the same program. @returns What it printed. @throws {Error} When it fails. */
export async function make({ gateway, token }: Lab, ...args: string[]): Promise<string> {
  const tokenFile = join(await tempFolder(), "token");
  await writeFile(tokenFile, token);
  const main = join(import.meta.dirname, "../../../deploy/cli/main.ts");
  return command(process.execPath, [main, ...args, "--gateway", gateway.url, "--token-file", tokenFile]);
}
