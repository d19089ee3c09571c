import { Worker } from "node:worker_threads";
import type { FileAttributes, SmallFile } from "./files-now.ts";

export interface FileJob {
  readonly work: "write" | "prove";
  readonly files: readonly SmallFile[];
  readonly attributes: FileAttributes;
}

export interface FileJobEnd {
  readonly other?: string | undefined;
  readonly failed?: { readonly message: string };
}

/**
 * Writes small files and reads them back on a thread of its own, for a disk that answers at once. Whoever starts it
 * ends it. To start one takes 30 ms of CPU time, and 10 MB.
 */
export class FileWorker {
  readonly #worker = new Worker(new URL("./file-thread.ts", import.meta.url));
  readonly #waiting: { resolve(end: FileJobEnd): void; reject(error: unknown): void }[] = [];
  #broken: unknown;

  constructor() {
    this.#worker.on("message", (end: FileJobEnd) => this.#waiting.shift()?.resolve(end));
    this.#worker.on("error", (error) => this.#break(error));
    this.#worker.on("exit", () => this.#break(new Error("Cannot write files: their thread has ended")));
  }

  /** Memory that the thread sees as well: files whose bytes lie in it are not copied on their way to it. */
  static memory(sizeBytes: number): Buffer {
    return Buffer.from(new SharedArrayBuffer(sizeBytes));
  }

  /** New files; replaces none. @throws {NodeJS.ErrnoException} `EEXIST`, `ENOSPC`… */
  async write(files: readonly SmallFile[], attributes: FileAttributes): Promise<void> {
    await this.#carryOut({ work: "write", files, attributes });
  }

  /** @returns The first path that has other bytes. @throws {NodeJS.ErrnoException} What reading fails with. */
  async firstOther(files: readonly SmallFile[]): Promise<string | undefined> {
    return (await this.#carryOut({ work: "prove", files, attributes: { fileMode: 0 } })).other;
  }

  async end(): Promise<void> {
    await this.#worker.terminate();
  }

  async #carryOut(job: FileJob): Promise<FileJobEnd> {
    if (this.#broken !== undefined) throw this.#broken;
    const end = await new Promise<FileJobEnd>((resolve, reject) => {
      this.#waiting.push({ resolve, reject });
      this.#worker.postMessage(job);
    });
    if (end.failed) throw Object.assign(new Error(end.failed.message), end.failed);
    return end;
  }

  #break(error: unknown): void {
    this.#broken ??= error;
    for (const { reject } of this.#waiting.splice(0)) reject(error);
  }
}
