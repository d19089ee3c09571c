import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { readTypes } from "../../cli/apps.ts";
import { Client } from "../../cli/client.ts";
import type { Session } from "../../cli/command.ts";
import { restoreAll } from "../../cli/commands/restore-all.ts";
import { backup } from "../../cli/commands/runs.ts";
import { differences } from "../lab/postgresql/compare.ts";
import type { DemoGateway } from "./gateway.ts";
import { type Content, type LabApp, shown } from "./lab.ts";
import { label } from "./make-lab.ts";
import type { Screen } from "./screen.ts";

/** An event takes moments to wake a function. */
const wakeMs = 30_000;

const clone = join(import.meta.dirname, "../../..");

/**
 * Backs up, backs up again, destroys, restores and compares: over HTTP, with the very commands that make calls.
 * @returns Whether everything went well, and came back as it was.
 */
export async function tellStory(apps: readonly LabApp[], gateway: DemoGateway, screen: Screen): Promise<boolean> {
  const session = await sessionWith(gateway, screen);
  const { chapter, say } = screen;

  chapter(`2. The first backups: what make backup-all does, over HTTP at ${gateway.url}`);
  if ((await backup.run(session)) !== 0) return false;
  if (gateway.wakes) {
    for (const app of apps.filter(({ name }) => name === "mapshot")) say(await cleanedUp(app, session.client));
  }

  chapter("3. The same again: nothing has changed, so nothing is written");
  if ((await backup.run(session)) !== 0) return false;

  chapter("4. A bad day: all data is destroyed");
  const before = new Map<LabApp, Content>();
  for (const app of apps) before.set(app, await app.content());
  for (const app of apps) say(`${label(app.title)}${await app.destroy()}`);

  chapter("   Everything is put back: what make restore-all does");
  if ((await restoreAll.run(session)) !== 0) return false;

  chapter("   Every byte and row is compared with what was there");
  const results = [];
  for (const app of apps) results.push(await compare(app, before.get(app) ?? new Map(), say));
  return results.every(Boolean);
}

/** What the event of a new map has set going: its renderer's and the NAS's old maps are removed. */
async function cleanedUp({ name, title }: LabApp, client: Client): Promise<string> {
  for (const sinceMs = Date.now(); Date.now() - sinceMs < wakeMs; await delay(50)) {
    const { lastOutcome, running } = (await client.state(`render-${name}`)).apps[0] ?? {};
    if (running || lastOutcome?.operation !== "cleanup") continue;
    return `${title}: its event called cleanup-${name}, which removed ${lastOutcome.removed?.map(shown).join(", ")}`;
  }
  return `${title}: nobody has cleaned up within ${wakeMs / 1000} s; its next run will`;
}

async function compare(app: LabApp, wanted: Content, say: (line: string) => void): Promise<boolean> {
  const different = differences(wanted, await app.content());
  for (const line of different) say(`${label(app.title)}DIFFERENT  ${line}`);
  if (different.length === 0) say(`${label(app.title)}identical  ${app.describe(wanted)}`);
  return different.length === 0;
}

async function sessionWith({ url, tokenFile, token }: DemoGateway, { terminal }: Screen): Promise<Session> {
  return {
    options: { names: [], allow: [], apps: [], yes: true, all: true, help: false },
    terminal,
    clock: () => ({ nowMs: Date.now(), timeZone: Intl.DateTimeFormat().resolvedOptions().timeZone }),
    client: new Client({ url, tokenFile, from: "the demo's own", own: true }, token),
    types: await readTypes(clone),
  };
}
