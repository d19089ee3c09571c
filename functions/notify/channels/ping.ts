import { request } from "../http.ts";
import type { OutcomeData } from "../outcome-data.ts";
import type { ReadSecret } from "../secret.ts";
import type { NotifySettings } from "../settings.ts";
import { clean } from "../words.ts";

/** Older outcomes say nothing about today, in ms. */
const freshMs = 60 * 60_000;

export interface Pings {
  /** Notes what a backup's end means for its address. */
  note(run: OutcomeData): void;
  /** Calls what is due. What fails stays due, until a newer outcome takes its place. Never rejects. */
  send(): Promise<void>;
  /** Why the last call failed; undefined when it did not. */
  lastError(): string | undefined;
}

/**
 * Calls an address after each good backup, and the address with `/fail` after a bad one, as healthchecks.io and others
 * understand it (https://healthchecks.io/docs/http_api/): whoever waits there notices when the calls end.
 */
export function pings(
  settings: NonNullable<NotifySettings["ping"]>,
  readSecret: ReadSecret,
  { timeoutMs, now }: { timeoutMs: number; now: () => number },
): Pings {
  const due = new Map<string, { fail: boolean; text: string; at: number }>();
  let error: string | undefined;
  return {
    note({ app, operation, outcome, message, finishedAt }) {
      const secret = settings.apps[app] ?? settings.urlSecret;
      const good = outcome === "created" || outcome === "unchanged";
      const bad = outcome === "failed" || outcome === "refused" || outcome === "interrupted";
      if (secret === undefined || operation !== "backup" || !(good || bad)) return;
      const at = Date.parse(finishedAt ?? "") || now();
      if (now() - at > freshMs || at < (due.get(secret)?.at ?? 0)) return;
      due.set(secret, { fail: bad, text: clean(message), at });
    },
    async send() {
      for (const [secret, ping] of [...due]) {
        const url = await readSecret(secret);
        if (url === undefined || !URL.canParse(url)) {
          error = `the secret "${secret}" is not there, or is not an address`;
          continue;
        }
        const to = new URL(url);
        if (ping.fail) to.pathname = `${to.pathname.replace(/\/$/, "")}/fail`;
        const answer = await request(to.href, { method: "POST", body: ping.text }, { timeoutMs });
        if ("status" in answer && answer.status < 300) {
          error = undefined;
          if (due.get(secret) === ping) due.delete(secret);
        } else {
          error = "status" in answer ? `the ping was answered with ${answer.status}` : `ping: ${answer.why}`;
          if (now() - ping.at > freshMs) due.delete(secret);
        }
      }
    },
    lastError: () => error,
  };
}
