import type { Terminal } from "../terminal.ts";

/** Somebody at a terminal: what they see, and what the test makes them type. */
export class FakeTerminal implements Terminal {
  readonly interactive: boolean;
  readonly stdout: string[] = [];
  readonly stderr: string[] = [];
  readonly drawn: string[] = [];
  /** Questions that wait for `type`. */
  #asked: { question: string; answer: (text: string) => void } | undefined;
  #handlers = new Set<(signal: NodeJS.Signals) => void>();
  #whenAsked = Promise.withResolvers<string>();

  constructor(interactive = true) {
    this.interactive = interactive;
  }

  out(line: string): void {
    this.stdout.push(line);
  }
  err(line: string): void {
    this.stderr.push(line);
  }
  redraw(line: string | undefined): void {
    if (line !== undefined) this.drawn.push(line);
  }
  ask(question: string, signal?: AbortSignal): Promise<string> {
    return new Promise((answer) => {
      this.#asked = { question, answer };
      signal?.addEventListener("abort", () => answer(""));
      this.#whenAsked.resolve(question);
    });
  }
  onInterrupt(handler: (signal: NodeJS.Signals) => void): () => void {
    this.#handlers.add(handler);
    return () => this.#handlers.delete(handler);
  }

  /** The next question. */
  async asked(): Promise<string> {
    const question = await this.#whenAsked.promise;
    this.#whenAsked = Promise.withResolvers();
    return question;
  }
  type(text: string): void {
    this.#asked?.answer(text);
  }
  press(signal: NodeJS.Signals = "SIGINT"): void {
    for (const handler of this.#handlers) handler(signal);
  }
}
