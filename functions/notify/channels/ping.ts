import { Bell } from "../clock.ts";
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
  /** Rings when something is due. */
  readonly noted: Bell;
  /**
   * Calls what is due. What fails stays due, until a newer outcome takes its place. Never rejects.
   * @returns Whether something is still due.
   */
  send(): Promise<boolean>;
  isDue(): boolean;
  /** Why the last call failed; undefined when it did not. */
  lastError(): string | undefined;
}

interface Ping {
  readonly secret: string;
  readonly isFailure: boolean;
  readonly text: string;
  readonly at: number;
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
  /** By app. */
  const due = new Map<string, Ping>();
  /** The newest outcome that was noted, by app, in ms since 1970: events come again, and not in their order. */
  const newest = new Map<string, number>();
  const noted = new Bell();
  let error: string | undefined;

  /** @returns Why it failed. */
  const call = async ({ secret, isFailure, text }: Ping): Promise<string | undefined> => {
    const url = await readSecret(secret);
    if (url === undefined || !URL.canParse(url)) return `the secret "${secret}" is not there, or is not an address`;
    const to = new URL(url);
    if (isFailure) to.pathname = `${to.pathname.replace(/\/$/, "")}/fail`;
    const answer = await request(to.href, { method: "POST", body: text }, { timeoutMs });
    if (!("status" in answer)) return answer.why;
    // Not every service has a way to tell a failure; that no call comes says it as well.
    const isUnknown = isFailure && [404, 405].includes(answer.status);
    return answer.status < 300 || isUnknown ? undefined : `it was answered with ${answer.status}`;
  };

  return {
    noted,
    note({ app, operation, outcome, message, finishedAt }) {
      const secret = settings.apps[app] ?? settings.urlSecret;
      const isGood = outcome === "created" || outcome === "unchanged";
      const isFailure = outcome === "failed" || outcome === "refused" || outcome === "interrupted";
      if (secret === undefined || operation !== "backup" || !(isGood || isFailure)) return;
      const at = Date.parse(finishedAt ?? "") || now();
      if (now() - at > freshMs || at <= (newest.get(app) ?? 0)) return;
      newest.set(app, at);
      due.set(app, { secret, isFailure, text: clean(message), at });
      noted.ring();
    },
    async send() {
      for (const [app, ping] of [...due]) {
        error = await call(ping);
        const isOver = error === undefined || now() - ping.at > freshMs;
        if (isOver && due.get(app) === ping) due.delete(app);
      }
      return due.size > 0;
    },
    isDue: () => due.size > 0,
    lastError: () => error,
  };
}
