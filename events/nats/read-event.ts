import { Event } from "../event.ts";

/** @returns The event, or why it is none that this version knows. */
export function readEvent(data: Uint8Array, subject: string): { event: Event } | { why: string } {
  let json: unknown;
  try {
    json = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(data));
  } catch (error) {
    return { why: `it is no JSON: ${(error as Error).message}` };
  }
  const parsed = Event.safeParse(json);
  if (!parsed.success) {
    const problems = parsed.error.issues.map(({ path, message }) => `${path.join(".") || "it"}: ${message}`);
    return { why: `it is no event of this version: ${problems.slice(0, 3).join("; ")}` };
  }
  if (parsed.data.subject !== subject)
    return { why: `it says that it is of ${parsed.data.subject}, came on ${subject}` };
  return { event: parsed.data };
}
