import { once } from "node:events";
import { rm, writeFile } from "node:fs/promises";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { setTimeout as delay } from "node:timers/promises";
import { type Forwarded, forward } from "./forward.ts";
import type { Hand } from "./hand.ts";
import { parseDuration, type ServeSettings } from "./settings.ts";

export type DoorLog = (message: string) => void;

export interface DoorOptions {
  readonly settings: ServeSettings;
  readonly hand: Pick<Hand, "take" | "release" | "drain" | "stop">;
  readonly socketPath: string;
  readonly log: DoorLog;
  /** Whether the hand has been there; always when absent. Calls that come before are taken, and wait. */
  readonly isReady?: () => boolean;
}

/** What is left for the hand to end in, of the whole grace, in ms. */
const handGraceMs = 3000;

interface Call {
  isStream: boolean;
  readonly forwarded: Forwarded;
}

/**
 * The contract of OpenFaaS for a function that speaks HTTP, as its of-watchdog keeps it: `/_/health`, `/_/ready`, the
 * lock file, a bound on the calls at once, timeouts, and an end in good order. Everything else is for the hand.
 */
export class Door {
  readonly #options: DoorOptions;
  readonly #server: Server;
  readonly #calls = new Set<Call>();
  #inflight = 0;
  #isDraining = false;
  #allGone: (() => void) | undefined;

  constructor(options: DoorOptions) {
    this.#options = options;
    const { readTimeoutMs } = options.settings;
    this.#server = createServer({ requestTimeout: readTimeoutMs, headersTimeout: readTimeoutMs }, (call, answer) =>
      this.#take(call, answer),
    );
  }

  /** @returns The port. */
  async open(): Promise<number> {
    const { port, host, lockFile } = this.#options.settings;
    this.#server.listen(port, host);
    await once(this.#server, "listening");
    if (lockFile !== undefined) await writeFile(lockFile, "");
    return (this.#server.address() as { port: number }).port;
  }

  /**
   * Says that no more calls are to be sent, takes those that still are for a while, lets what is under way end, and
   * streams where they are. Returns when all is done, within the grace.
   */
  async close(): Promise<void> {
    if (this.#isDraining) return;
    this.#isDraining = true;
    const { settings, hand, log } = this.#options;
    const endsMs = performance.now() + settings.graceMs;
    log("no more calls are wanted");
    hand.drain();
    if (settings.lockFile !== undefined) await rm(settings.lockFile, { force: true });
    await delay(settings.noticeMs);
    const closed = new Promise((resolve) => this.#server.close(resolve));
    this.#server.closeIdleConnections();
    for (const call of this.#calls) if (call.isStream) call.forwarded.finish();
    await Promise.race([this.#untilNoCall(), delay(endsMs - handGraceMs - performance.now())]);
    this.#server.closeAllConnections();
    await closed;
    await hand.stop(Math.max(0, endsMs - performance.now()));
  }

  #take(call: IncomingMessage, answer: ServerResponse): void {
    const { settings, isReady } = this.#options;
    const { maxInflight } = settings;
    const isFull = maxInflight > 0 && this.#inflight >= maxInflight;
    if (this.#isDraining) answer.setHeader("connection", "close");
    const refusal = isFull ? `Cannot take this call: at most ${maxInflight} at once are wanted; try again` : undefined;
    if (call.url === "/_/health") say(call, answer, this.#isDraining ? 503 : 200);
    else if (call.url === "/_/ready") {
      const isWanted = !this.#isDraining && isReady?.() !== false;
      say(call, answer, !isWanted ? 503 : isFull ? 429 : 200, refusal);
    } else if (isFull) say(call, answer.setHeader("retry-after", "1"), 429, refusal);
    else this.#count(call, answer);
  }

  #count(call: IncomingMessage, answer: ServerResponse): void {
    this.#inflight += 1;
    void this.#pass(call, answer).finally(() => {
      this.#inflight -= 1;
      if (this.#inflight === 0) this.#allGone?.();
    });
  }

  async #pass(call: IncomingMessage, answer: ServerResponse): Promise<void> {
    const { hand, socketPath, settings } = this.#options;
    const execTimeoutMs = execTimeoutMsOf(call, settings.execTimeoutMs);
    let passed: Call | undefined;
    let timer: NodeJS.Timeout | undefined;
    if (!isFollowed(call)) {
      timer = setTimeout(() => {
        say(call, answer, 504, `Cannot answer in time: ${execTimeoutMs / 1000} s are over`);
        passed?.forwarded.finish();
      }, execTimeoutMs);
    }
    try {
      const isUp = await hand.take().then(
        () => true,
        () => false,
      );
      if (!isUp) return say(call, answer, 500, "Cannot answer: the function does not start; its log says why");
      try {
        if (answer.closed || answer.writableEnded) return;
        const forwarded = forward(call, answer, socketPath, (isStream) => {
          clearTimeout(timer);
          if (passed) passed.isStream = isStream;
          if (!isStream) timer = setTimeout(() => answer.destroy(), settings.writeTimeoutMs);
        });
        passed = { isStream: false, forwarded };
        this.#calls.add(passed);
        const isAnswered = await forwarded.ended;
        if (!isAnswered) say(call, answer, 500, "Cannot answer: the function came to an end; call it again");
      } finally {
        if (passed) this.#calls.delete(passed);
        hand.release();
      }
    } finally {
      clearTimeout(timer);
    }
  }

  async #untilNoCall(): Promise<void> {
    if (this.#inflight === 0) return;
    await new Promise<void>((resolve) => {
      this.#allGone = resolve;
    });
  }
}

/** A run that is followed live takes as long as it takes. */
const isFollowed = ({ headers }: IncomingMessage): boolean =>
  /\b(?:text\/event-stream|application\/x-ndjson)\b/.test(headers.accept ?? "");

/** A caller may want less time, never more. */
function execTimeoutMsOf({ headers }: IncomingMessage, mostMs: number): number {
  const wanted = parseDuration(String(headers["x-timeout"] ?? ""));
  return wanted === undefined ? mostMs : Math.min(wanted, mostMs);
}

/** An answer of the door's own; nothing when there is one already. */
function say(call: IncomingMessage, answer: ServerResponse, status: number, text?: string): void {
  if (answer.headersSent || answer.destroyed) return;
  call.resume();
  const words = text ?? (status === 200 ? "OK" : "No more calls are wanted");
  answer.writeHead(status, { "content-type": "text/plain; charset=utf-8" }).end(`${words}\n`);
}
