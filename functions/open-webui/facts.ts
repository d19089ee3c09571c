import type { Facts, Identity } from "../../shared/app.ts";
import type { DatabaseFacts } from "./sqlite/protocol.ts";

/** What the manifest keeps of a database. */
export const factsOf = ({ revision, rows, danglingRows, sqliteVersion }: DatabaseFacts): Facts => ({
  revision,
  rows,
  ...(danglingRows !== undefined && { danglingRows }),
  // Another version may write equal content otherwise: then there is one backup more.
  sqliteVersion,
});

/**
 * Which install a database is of: its first user. Whoever signs up first becomes the primary admin, whom Open WebUI
 * lets nobody delete (its routers/users.py), and ids are random. A new install has another one.
 */
export function installIdentity({ firstUser }: DatabaseFacts): Identity | undefined {
  if (!firstUser) return undefined;
  const { id, createdAt } = firstUser;
  const since = createdAt === undefined || Math.abs(createdAt) > 8.64e12 ? "" : ` of ${dayOf(createdAt)}`;
  return { id: `first-user:${id}`, label: `install${since} (first user ${id.slice(0, 8)})` };
}

const dayOf = (seconds: number) => new Date(seconds * 1000).toISOString().slice(0, 10);

/** "3 users, 240 chats" */
export function summaryOf({ rows }: Pick<DatabaseFacts, "rows">): string {
  const count = (table: string, name: string) => `${rows[table] ?? 0} ${name}${rows[table] === 1 ? "" : "s"}`;
  return `${count("user", "user")}, ${count("chat", "chat")}`;
}
