import type { RunLine, RunView } from "../run/report.ts";
import type { Runs } from "../run/runs.ts";

/** How often a silent stream says that it is alive: proxies cut what says nothing. */
const keepAliveMs = 15_000;

/**
 * A run as server-sent events, live to its outcome: `event` is the line's type, `data` the line as JSON, `id` where to
 * go on with `Last-Event-ID`. The last event is `end` with the whole run. Of a parent run, its children in turn.
 */
export function followResponse(
  view: RunView,
  runs: Runs,
  lastEventId: string | undefined,
  finalView: () => Promise<RunView | undefined>,
): Response {
  const ids = view.runs ? view.runs.map(({ id }) => id) : [view.id];
  const [child = 0, after = 0] = (lastEventId ?? "").split("-").map(Number).filter(Number.isInteger);
  const stopped = new AbortController();
  const encoder = new TextEncoder();
  const stream = new ReadableStream<Uint8Array>({
    async start(controller) {
      const send = (text: string) => {
        if (!stopped.signal.aborted) controller.enqueue(encoder.encode(text));
      };
      const alive = setInterval(() => send(": alive\n\n"), keepAliveMs);
      try {
        for (const [index, id] of ids.entries()) {
          if (index < child) continue;
          for await (const { number, line } of runs.follow(id, {
            after: index === child ? after : 0,
            signal: stopped.signal,
          })) {
            send(event(line.type, line, `${index}-${number}`));
          }
        }
        if (!stopped.signal.aborted) send(event("end", (await finalView()) ?? view));
      } finally {
        clearInterval(alive);
        if (!stopped.signal.aborted) controller.close();
      }
    },
    cancel() {
      stopped.abort();
    },
  });
  return new Response(stream, {
    headers: {
      "content-type": "text/event-stream; charset=utf-8",
      "cache-control": "no-store",
      "x-accel-buffering": "no",
    },
  });
}

function event(name: string, data: RunLine | RunView, id?: string): string {
  return `${id === undefined ? "" : `id: ${id}\n`}event: ${name}\ndata: ${JSON.stringify(data)}\n\n`;
}
