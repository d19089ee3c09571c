import { availableParallelism } from "node:os";
import { Worker } from "node:worker_threads";
import type { FileAttributes, FileWriter, SmallFile } from "./files-now.ts";
import { answersAtOnce } from "./source/file-system.ts";

export interface FileJob {
  readonly files: readonly SmallFile[];
  readonly attributes: FileAttributes;
}

export interface FileJobEnd {
  readonly other?: string | undefined;
  readonly failed?: { readonly message: string };
}

/** So much to write is worth a thread. */
const worthBytes = 8 << 20;

/**
 * For so many bytes below a folder that is there; the caller ends it.
 * @returns undefined where a thread gains nothing.
 */
export async function fileWorkerFor(folder: string, sizeBytes: number): Promise<FileWorker | undefined> {
  const worth = sizeBytes >= worthBytes && availableParallelism() > 1 && (await answersAtOnce(folder));
  return worth ? new FileWorker() : undefined;
}

/**
 * Writes files and reads them back on a thread of its own, for a disk that answers at once. Whoever starts it
 * ends it. To start one takes 30 ms of CPU time, and 10 MB.
 */
export class FileWorker implements FileWriter {
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

  async write(files: readonly SmallFile[], attributes: FileAttributes): Promise<string | undefined> {
    if (this.#broken !== undefined) throw this.#broken;
    const job: FileJob = { files, attributes };
    const end = await new Promise<FileJobEnd>((resolve, reject) => {
      this.#waiting.push({ resolve, reject });
      this.#worker.postMessage(job);
    });
    if (end.failed) throw Object.assign(new Error(end.failed.message), end.failed);
    return end.other;
  }

  async end(): Promise<void> {
    await this.#worker.terminate();
  }

  #break(error: unknown): void {
    this.#broken ??= error;
    for (const { reject } of this.#waiting.splice(0)) reject(error);
  }
}
