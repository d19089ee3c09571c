import type { Told } from "./told.ts";

export interface HttpOptions {
  /** For the request and for the answer's body, each. */
  timeoutMs: number;
}

export interface HttpAnswer {
  readonly status: number;
  readonly headers: Headers;
  /** undefined: it broke off, or was too long. */
  readonly text?: string;
}

const bodyLimitBytes = 64 << 10;

/**
 * One request, whose URL may be a secret: what fails is told as a value, in words of our own, without the error, since
 * those of `fetch` may print the URL.
 */
export async function request(
  url: string,
  init: RequestInit,
  { timeoutMs }: HttpOptions,
): Promise<HttpAnswer | Extract<Told, { outcome: "passing" }>> {
  const signal = AbortSignal.timeout(timeoutMs);
  let response: Response;
  try {
    response = await fetch(url, { ...init, redirect: "manual", signal });
  } catch (error) {
    return { outcome: "passing", ...whyOf(error, timeoutMs) };
  }
  const text = await readText(response, signal).catch(() => undefined);
  return { status: response.status, headers: response.headers, ...(text !== undefined && { text }) };
}

async function readText(response: Response, signal: AbortSignal): Promise<string> {
  const reader = response.body?.getReader();
  if (!reader) return "";
  // fetch's own signal does not reach a body that was begun on every runtime.
  const stop = () => void reader.cancel().catch(() => {});
  signal.addEventListener("abort", stop, { once: true });
  const decoder = new TextDecoder();
  let text = "";
  let sizeBytes = 0;
  for (;;) {
    const { done, value } = await reader.read();
    signal.throwIfAborted();
    if (done) break;
    sizeBytes += value.byteLength;
    if (sizeBytes > bodyLimitBytes) {
      stop();
      throw new RangeError("too long");
    }
    text += decoder.decode(value, { stream: true });
  }
  signal.removeEventListener("abort", stop);
  return text + decoder.decode();
}

/** Codes of failures before anything was sent. */
const neverSent: Readonly<Record<string, string>> = {
  ECONNREFUSED: "the connection was refused",
  ENOTFOUND: "its name was not found",
  EAI_AGAIN: "its name could not be looked up",
  EHOSTUNREACH: "there is no way to it",
  ENETUNREACH: "there is no way to it",
  UND_ERR_CONNECT_TIMEOUT: "no connection came about",
};

function whyOf(error: unknown, timeoutMs: number): { why: string; maybeTaken: boolean } {
  const { name, cause } = error as { name?: string; cause?: { code?: string } };
  if (name === "TimeoutError") return { why: `no answer within ${timeoutMs / 1000} s`, maybeTaken: true };
  const code = cause?.code ?? "";
  const known = neverSent[code];
  if (known !== undefined) return { why: known, maybeTaken: false };
  return { why: `the connection broke${/^\w+$/.test(code) ? ` (${code})` : ""}`, maybeTaken: true };
}
