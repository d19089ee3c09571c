import { type ChildProcess, spawn } from "node:child_process";
import { rmSync } from "node:fs";
import type { Bell } from "../../events/nats/bell.ts";
import type { DoorLog } from "./door.ts";
import type { ToDoor, ToHand } from "./messages.ts";

export interface HandOptions {
  /** The program that answers, given where it is to listen, and "rested" when it was ended because it rested. */
  readonly command: readonly [string, ...string[]];
  readonly socketPath: string;
  readonly log: DoorLog;
  /** After so long without a call it is asked whether it rests, in ms. */
  readonly lingerMs?: number;
  /** How long it may take to end then, in ms. */
  readonly leaveMs?: number;
  /** Opens a bell that wakes a hand which has work of its own; without it such a one does not rest. */
  readonly openBell?: (address: string, ring: () => void) => Bell;
}

type Rest = ToDoor & { kind: "rest" };

/** A function that was told to rest sleeps so long at least: less is not worth a start. */
const shortestRestMs = 15_000;
const leaveMs = 5000;
/** What has failed by itself begins again after so long, at first and at most. */
const againMs = { first: 1000, most: 30_000 };

/**
 * The process that does a function's work. It is there while somebody calls, or while it has work of its own: what is
 * idle all day is then only the door. Several calls share one; the next call after it has gone starts another.
 */
export class Hand {
  readonly #options: HandOptions;
  readonly #lingerMs: number;
  #child: ChildProcess | undefined;
  /** Resolves when it listens. */
  #up: Promise<void> | undefined;
  #gone: Promise<void> | undefined;
  #abandon: (() => void) | undefined;
  #calls = 0;
  #isStopping = false;
  #isLeaving = false;
  #hasRested = false;
  /** Something happened while it was about to go. */
  #isWanted = false;
  #timer: NodeJS.Timeout | undefined;
  #bell: { address: string; bell: Bell } | undefined;
  #failures = 0;
  #answerRest: ((message: Rest) => void) | undefined;

  constructor(options: HandOptions) {
    this.#options = options;
    this.#lingerMs = options.lingerMs ?? 10_000;
  }

  /** Starts it. @throws {Error} When it does not begin: what is wrong stands in its log. */
  async start(): Promise<void> {
    await this.#ready();
    this.#plan(this.#lingerMs, () => this.#ask());
  }

  /** Counts a call, and waits until it listens; whoever has called this calls `release` when the answer has ended. */
  async take(): Promise<void> {
    this.#calls += 1;
    clearTimeout(this.#timer);
    try {
      await this.#ready();
    } catch (error) {
      this.release();
      throw error;
    }
  }

  release(): void {
    this.#calls -= 1;
    if (this.#calls === 0) this.#plan(this.#lingerMs, () => this.#ask());
  }

  /** Answers that wait for something end now, and work of its own does; calls are still taken. */
  drain(): void {
    this.#isStopping = true;
    clearTimeout(this.#timer);
    this.#bell?.bell.close();
    this.#send({ kind: "drain" });
  }

  /** Ends it, after the answers under way; returns when it is gone. */
  async stop(withinMs: number): Promise<void> {
    this.#isStopping = true;
    clearTimeout(this.#timer);
    this.#end(withinMs);
    await this.#gone;
  }

  #end(withinMs: number): void {
    this.#child?.kill("SIGTERM");
    const timer = setTimeout(() => this.#abandon?.(), withinMs);
    void this.#gone?.then(() => clearTimeout(timer));
  }

  async #ready(): Promise<void> {
    if (this.#isLeaving) await this.#gone;
    this.#up ??= this.#begin();
    await this.#up;
  }

  #begin(): Promise<void> {
    const { command, socketPath, log } = this.#options;
    const [program, ...args] = command;
    rmSync(socketPath, { force: true });
    const rested = this.#hasRested ? ["rested"] : [];
    this.#hasRested = false;
    const child = spawn(program, [...args, socketPath, ...rested], { stdio: ["ignore", "inherit", "inherit", "ipc"] });
    this.#child = child;
    const up = Promise.withResolvers<void>();
    const gone = Promise.withResolvers<void>();
    this.#gone = gone.promise;
    child.on("message", (message: ToDoor) => {
      if (message.kind === "up") {
        this.#failures = 0;
        if (this.#isStopping) this.#send({ kind: "drain" });
        up.resolve();
      } else this.#answerRest?.(message);
    });
    let isOver = false;
    const ended = (how: string) => {
      if (isOver) return;
      isOver = true;
      this.#child = undefined;
      this.#up = undefined;
      this.#answerRest = undefined;
      gone.resolve();
      up.reject(new Error(how));
      if (this.#isLeaving) this.#rested();
      else if (!this.#isStopping) {
        log(`the function's process ended: ${how}`);
        this.#failures += 1;
        // Whoever calls starts it at once; its own work goes on by itself.
        this.#plan(Math.min(againMs.first * 2 ** (this.#failures - 1), againMs.most), () => this.#wake());
      }
    };
    child.once("error", (error) => ended(error.message));
    child.once("exit", (status, signal) => ended(signal ?? `status ${status}`));
    // A read of a hung mount holds a process that wants to end; nobody is to wait for it.
    this.#abandon = () => {
      child.kill("SIGKILL");
      ended("it did not end in time");
    };
    up.promise.catch(() => {});
    return up.promise;
  }

  #rested(): void {
    this.#isLeaving = false;
    this.#hasRested = true;
    if (this.#isWanted) this.#wake();
    this.#isWanted = false;
  }

  /** For its own work: nobody calls. */
  #wake(): void {
    if (this.#isStopping) return;
    if (this.#isLeaving) {
      this.#isWanted = true;
      return;
    }
    if (this.#child) return;
    this.start().catch(() => {});
  }

  async #ask(): Promise<void> {
    let rest = await this.#restOf();
    if (rest?.bell !== undefined && this.#maySleep(rest)) {
      // What came before it could be heard was for whoever is still there: it is asked once more.
      rest = (await this.#hear(rest.bell)) ? await this.#restOf() : undefined;
    }
    if (!rest || !this.#maySleep(rest)) return this.#plan(this.#lingerMs, () => this.#ask());
    this.#isLeaving = true;
    this.#end(this.#options.leaveMs ?? leaveMs);
    if (rest.forMs !== undefined) this.#plan(rest.forMs, () => this.#wake());
  }

  #maySleep({ forMs }: Rest): boolean {
    return this.#calls === 0 && !this.#isStopping && (forMs === undefined || forMs >= shortestRestMs);
  }

  async #restOf(): Promise<Rest | undefined> {
    if (!this.#child || this.#calls > 0) return undefined;
    const answer = Promise.withResolvers<Rest | undefined>();
    this.#answerRest = answer.resolve;
    this.#child.once("exit", () => answer.resolve(undefined));
    this.#send({ kind: "rest?" });
    return answer.promise;
  }

  /** @returns Whether it is heard. A bell rings once. */
  async #hear(address: string): Promise<boolean> {
    if (this.#bell?.address !== address) {
      this.#bell?.bell.close();
      const bell = this.#options.openBell?.(address, () => {
        if (this.#bell?.bell === bell) this.#bell = undefined;
        this.#wake();
      });
      this.#bell = bell && { address, bell };
    }
    const isSet = (await this.#bell?.bell.isSet) ?? false;
    if (!isSet) this.#bell = undefined;
    return isSet;
  }

  #send(message: ToHand): void {
    if (this.#child?.connected) this.#child.send(message);
  }

  #plan(ms: number, what: () => unknown): void {
    clearTimeout(this.#timer);
    if (!this.#isStopping) this.#timer = setTimeout(what, ms);
  }
}
