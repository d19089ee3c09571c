import { createHash } from "node:crypto";
import type { FileStat } from "./fingerprint.ts";

const gatheredFiles = 512;
const numbersOfFile = 4;

/**
 * The sha256 of what `fileFingerprint` goes by, of very many files one after another. Of numbers as they are: to write
 * them as text takes longer than to ask for them.
 */
export class StatHash {
  readonly #hash = createHash("sha256");
  readonly #numbers = new Float64Array(gatheredFiles * numbersOfFile);
  #names = "";
  #gathered = 0;

  /** @param name Anything but a zero byte. */
  add(name: string, { size, mtimeMs, ctimeMs, ino }: FileStat): void {
    const at = this.#gathered * numbersOfFile;
    this.#numbers[at] = size;
    this.#numbers[at + 1] = mtimeMs;
    this.#numbers[at + 2] = ctimeMs;
    this.#numbers[at + 3] = ino;
    this.#names += `${name}\0`;
    this.#gathered += 1;
    if (this.#gathered === gatheredFiles) this.#update();
  }

  /** Lower-case; nothing can be added after it. */
  hex(): string {
    this.#update();
    return this.#hash.digest("hex");
  }

  /** How many there are comes first, so no two lists of files write the same bytes. */
  #update(): void {
    this.#hash.update(`${this.#gathered} ${this.#names}`);
    this.#hash.update(this.#numbers.subarray(0, this.#gathered * numbersOfFile));
    this.#names = "";
    this.#gathered = 0;
  }
}
