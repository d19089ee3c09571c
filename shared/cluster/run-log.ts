import { HttpMethod, IsomorphicFetchHttpLibrary, RequestContext } from "@kubernetes/client-node";
import type { Cluster } from "./client.ts";
import { runnerContainer } from "./names.ts";

export interface LogOptions {
  /** Goes on until the container ends, or the connection is cut. */
  readonly follow?: boolean;
  /** Only so many lines from the end. */
  readonly tailLines?: number;
  /** Ends with an error when nothing has come for so long. */
  readonly silentMs?: number;
  readonly signal: AbortSignal;
}

/**
 * Lines of what the runner in a pod has told, from the first one on. Ends in order when the container has ended, and
 * when a connection was closed in order: whether it has ended is another question.
 * @throws {LogAway} When there is no log: it waits to start, or is gone. What the connection throws when it is cut.
 */
export async function* runnerLog(
  { config }: Cluster,
  pod: { readonly namespace: string; readonly name: string },
  { follow = false, tailLines, silentMs, signal }: LogOptions,
): AsyncGenerator<string> {
  const url = new URL(`${config.getCurrentCluster()?.server}/api/v1/namespaces/${pod.namespace}/pods/${pod.name}/log`);
  url.searchParams.set("container", runnerContainer);
  if (follow) url.searchParams.set("follow", "true");
  if (tailLines !== undefined) url.searchParams.set("tailLines", String(tailLines));
  // Not the library's own `Log`: that says nothing of a stream that was cut.
  const request = new RequestContext(url.toString(), HttpMethod.GET);
  const silence = new AbortController();
  const timer = silentMs === undefined ? undefined : setTimeout(() => silence.abort(new Error("silent")), silentMs);
  request.setSignal(AbortSignal.any([signal, silence.signal]));
  try {
    await config.applySecurityAuthentication(request);
    const response = await new IsomorphicFetchHttpLibrary().send(request).toPromise();
    if (response.httpStatusCode !== 200) {
      throw new LogAway(response.httpStatusCode, await response.body.text());
    }
    const decoder = new TextDecoder();
    let rest = "";
    for await (const chunk of response.body.stream() as AsyncIterable<Uint8Array>) {
      timer?.refresh();
      const lines = (rest + decoder.decode(chunk, { stream: true })).split("\n");
      rest = lines.pop() ?? "";
      yield* lines;
    }
    // Half a line is one that was cut off; a whole one is read again.
  } finally {
    clearTimeout(timer);
  }
}

/** There is no log to read, for now. */
export class LogAway extends Error {
  readonly status: number;
  constructor(status: number, text: string) {
    super(text.slice(0, 500));
    this.status = status;
  }
}
