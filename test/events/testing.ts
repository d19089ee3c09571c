import { join } from "node:path";
import { onTestFinished } from "vitest";
import { type NatsServer, startNatsServer, stopNatsServer } from "../../deploy/local/lab/nats/server.ts";
import { type EventBus, openBus } from "../../events/bus.ts";
import { eventOf, type OutcomeEvent } from "../../events/event.ts";
import type { Delivery, Inbox, Poison } from "../../events/inbox.ts";
import { silentLog, tempFolder } from "../../shared/testing.ts";

/** A server of the test's own, gone after it, also when it was started again over its folder. */
export async function ownNats(user?: { name: string; password: string }): Promise<NatsServer & { folder: string }> {
  const folder = join(await tempFolder(), "nats");
  const server = await startNatsServer({ folder, ...(user && { user }) });
  onTestFinished(() => stopNatsServer(folder));
  return { ...server, folder };
}

export async function busAt(url: string): Promise<EventBus> {
  const bus = await openBus(url, { name: "test", log: silentLog });
  onTestFinished(bus.close);
  return bus;
}

/** The ids of all events that a server keeps, oldest first. */
export async function storedIn(url: string): Promise<string[]> {
  const ids: string[] = [];
  for await (const { id } of (await busAt(url)).history(0)) ids.push(id);
  return ids;
}

/** How run `name` of Factorio ended. */
export const ended = (name: string, more: object = {}): OutcomeEvent =>
  eventOf({
    runId: `backup-factorio-${name}`,
    app: "factorio",
    operation: "backup",
    outcome: "created",
    message: `Factorio: ${name}`,
    finishedAt: "2025-12-19T18:00:05.000Z",
    ...more,
  });

/** The next `count` that come, in their order. */
export async function next(inbox: Inbox, count: number): Promise<(Delivery | Poison)[]> {
  const found: (Delivery | Poison)[] = [];
  while (found.length < count) found.push(...(await inbox.take(count - found.length, 30_000)));
  return found;
}

export const idOf = (given: Delivery | Poison) => ("event" in given ? given.event.id : given.why);
