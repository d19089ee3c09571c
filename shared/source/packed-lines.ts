const gatheredLength = 1 << 15;
const end = "\0";

/**
 * Very many short texts for later, as bytes: 100,000 file names and what is known of them take 10 MB instead of the 25
 * MB of strings and objects, and the garbage collector never looks at them. No text may hold a zero byte.
 */
export class PackedLines {
  readonly #packed: Buffer[] = [];
  #text = "";
  /** Of each part, the index of its first line. */
  readonly #firsts: number[] = [];
  #count = 0;
  #unpacked: { part: number; lines: readonly string[] } | undefined;

  add(line: string): void {
    if (this.#text === "") this.#firsts.push(this.#count);
    this.#count += 1;
    this.#text += line + end;
    if (this.#text.length >= gatheredLength) this.#pack();
  }

  /** In the order in which they were added. */
  *[Symbol.iterator](): Generator<string> {
    this.#pack();
    for (const part of this.#packed.keys()) yield* this.#unpack(part);
  }

  /** Quick for a line near the one before it. */
  at(index: number): string | undefined {
    this.#pack();
    let part = this.#unpacked?.part ?? 0;
    const first = (of: number) => this.#firsts[of] ?? Number.POSITIVE_INFINITY;
    while (first(part) > index && part > 0) part -= 1;
    while (first(part + 1) <= index) part += 1;
    if (this.#unpacked?.part !== part) this.#unpacked = { part, lines: this.#unpack(part) };
    return this.#unpacked.lines[index - first(part)];
  }

  equals(other: PackedLines): boolean {
    this.#pack();
    other.#pack();
    // Packed after equal lines, so equal lines are packed alike.
    return (
      this.#packed.length === other.#packed.length &&
      this.#packed.every((bytes, index) => bytes.equals(other.#packed[index] as Buffer))
    );
  }

  #unpack(part: number): string[] {
    return this.#packed[part]?.toString().slice(0, -1).split(end) ?? [];
  }

  #pack(): void {
    if (this.#text === "") return;
    this.#packed.push(Buffer.from(this.#text));
    this.#text = "";
  }
}
