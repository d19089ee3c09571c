import { createHash } from "node:crypto";

const gatheredLength = 1 << 15;

/** The sha256 of many short texts, one after another: gathered, because each call of a hash costs more than its text. */
export class TextHash {
  readonly #hash = createHash("sha256");
  #text = "";

  add(text: string): void {
    this.#text += text;
    if (this.#text.length < gatheredLength) return;
    this.#hash.update(this.#text);
    this.#text = "";
  }

  /** Lower-case; nothing can be added after it. */
  hex(): string {
    return this.#hash.update(this.#text).digest("hex");
  }
}
