import { hash } from "node:crypto";
import { availableParallelism } from "node:os";
import { Worker } from "node:worker_threads";
import { Blocks } from "./blocks.ts";
import type { FileAttributes, FileWriter, Proven, SmallFile } from "./files-now.ts";
import type { Hasher, Summer } from "./nas/read-back.ts";
import type { Prover } from "./nas/read-many.ts";
import { answersAtOnce } from "./source/file-system.ts";

export type FileJob =
  | { readonly do: "write" | "writeOnly"; readonly files: readonly SmallFile[]; readonly attributes: FileAttributes }
  /** With what was hashed before, unless it begins something new. */
  | { readonly do: "hash"; readonly bytes: Uint8Array; readonly begins: boolean }
  /** Ends what was hashed. */
  | { readonly do: "digest" }
  /** Reads whole files. */
  | { readonly do: "prove"; readonly paths: readonly string[] }
  /** Of a part of a file. */
  | { readonly do: "crc32"; readonly path: string; readonly from: number; readonly lengthBytes: number };

export interface FileJobEnd {
  readonly other?: string | undefined;
  readonly proven?: readonly (Proven | undefined)[];
  readonly sha256?: string;
  readonly crc32?: number | undefined;
  readonly failed?: { readonly message: string };
}

/** So much to write is worth a thread. */
const worthBytes = 8 << 20;

/**
 * For so many bytes below a folder that is there; the caller ends it.
 * @returns undefined where a thread gains nothing.
 */
export async function fileWorkerFor(folder: string, sizeBytes: number): Promise<FileWorker | undefined> {
  return (await answersAtOnce(folder)) ? threadFor(sizeBytes) : undefined;
}

/** The same where it is not known yet who will do what. */
export function threadFor(sizeBytes: number): FileWorker | undefined {
  return sizeBytes >= worthBytes && availableParallelism() > 1 ? new FileWorker() : undefined;
}

/**
 * Writes files and reads them back on a thread of its own, for a disk that answers at once, and hashes and sums there
 * what they are made of. Whoever starts it ends it. To start one takes 30 ms of CPU time, and 10 MB.
 */
export class FileWorker implements FileWriter, Prover, Summer {
  /** Memory that the thread sees as well: what lies in it is not copied on its way to it. */
  readonly blocks = new Blocks({ shared: true });
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
    return (await this.#carryOut({ do: "write", files, attributes })).other;
  }

  async writeOnly(files: readonly SmallFile[], attributes: FileAttributes): Promise<void> {
    await this.#carryOut({ do: "writeOnly", files, attributes });
  }

  async prove(paths: readonly string[]): Promise<readonly (Proven | undefined)[]> {
    return (await this.#carryOut({ do: "prove", paths })).proven ?? [];
  }

  /** The sha256 of one thing at a time, given in parts, each of which stays as it is until its promise is fulfilled. */
  hasher(): Hasher {
    let begins = true;
    return {
      memory: FileWorker.memory,
      update: async (bytes) => {
        const job: FileJob = { do: "hash", bytes, begins };
        begins = false;
        await this.#carryOut(job);
      },
      digest: async () => {
        if (begins) return hash("sha256", "");
        return (await this.#carryOut({ do: "digest" })).sha256 as string;
      },
    };
  }

  async crc32(path: string, from: number, lengthBytes: number): Promise<number | undefined> {
    return (await this.#carryOut({ do: "crc32", path, from, lengthBytes })).crc32;
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
