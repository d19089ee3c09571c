import type { HttpAnswer } from "../http.ts";
import type { Told } from "../told.ts";

/** What a plain HTTP service means by its status. */
export function readStatus(name: string, { status, headers }: HttpAnswer): Told {
  const why = `${name} answered ${status}`;
  if (status >= 200 && status < 300) return { outcome: "taken", notes: [] };
  if (status === 429) {
    const seconds = Number(headers.get("retry-after"));
    return { outcome: "wait", afterMs: (seconds > 0 ? seconds : 30) * 1000, why };
  }
  if (status < 400 || status >= 500 || status === 408) return { outcome: "passing", maybeTaken: false, why };
  const about = [401, 403, 404, 405, 410].includes(status) ? "channel" : "message";
  return { outcome: "permanent", about, why };
}

/** A channel whose secret is not there. */
export const withoutSecret = (name: string): Told => ({
  outcome: "permanent",
  about: "channel",
  why: `the secret "${name}" is not there, or is not what it should be`,
  hint: `Put a file "${name}" into the folder of secrets.`,
});
