import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type AppView, type Outcome, type RunView, StateView } from "../../../shared/run/report.ts";
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
  const cannot = new Error(`Cannot see how the run ended: ${answer.status} ${text}`);
  if (!answer.headers.get("content-type")?.includes("json")) throw cannot;
  const told = JSON.parse(text) as RunView & { run?: RunView };
  const { outcome } = told.run ?? told;
  if (!outcome) throw cannot;
  return outcome;
}

/** What a function tells of its app. */
export async function stateOf({ gateway }: Lab, fn: string): Promise<AppView> {
  const answer = await fetch(`${gateway.url}/function/${fn}`, { headers: { accept: "application/json" } });
  const text = await answer.text();
  if (!answer.ok) throw new Error(`Cannot see the state of ${fn}: ${answer.status} ${text}`);
  const [app] = StateView.parse(JSON.parse(text)).apps;
  if (!app) throw new Error(`Cannot see the state of ${fn}: it has no app`);
  return app;
}

/** What `make` does, by the same program. @returns What it printed. @throws {Error} When it fails. */
export async function make({ gateway, token }: Lab, ...args: string[]): Promise<string> {
  const tokenFile = join(await tempFolder(), "token");
  await writeFile(tokenFile, token);
  const main = join(import.meta.dirname, "../../../deploy/cli/main.ts");
  return command(process.execPath, [main, ...args, "--gateway", gateway.url, "--token-file", tokenFile]);
}
