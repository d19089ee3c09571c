import type { Outcome, RunView, StateView } from "../../../shared/run/report.ts";
import type { Lab } from "./lab.ts";

/** Starts a run as anybody with the token does, and waits for its outcome. */
export async function run({ gateway, token }: Lab, fn: string, request: object = {}): Promise<Outcome | undefined> {
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

/** What a function tells of its apps. */
export async function stateOf({ gateway }: Lab, fn: string): Promise<StateView> {
  const answer = await fetch(`${gateway.url}/function/${fn}`, { headers: { accept: "application/json" } });
  const text = await answer.text();
  if (!answer.ok) throw new Error(`Cannot see the state of ${fn}: ${answer.status} ${text}`);
  return JSON.parse(text) as StateView;
}
