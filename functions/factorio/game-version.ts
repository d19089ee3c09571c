/**
 * The version at the start of `level-init.dat` and of the inflated `level.dat0`: four u16 LE, main, major, minor and
 * developer's number. `level.dat0` holds that of the game which wrote the save, `level-init.dat` that of the game which
 * created the map. The format is not published; it is the same in saves from 0.11 to 2.0.
 */
export class GameVersion {
  #head = Buffer.alloc(0);

  /** Takes the content in pieces; only the first eight bytes matter. */
  update(piece: Buffer): void {
    if (this.#head.length < 8) this.#head = Buffer.concat([this.#head, piece.subarray(0, 8 - this.#head.length)]);
  }

  /** "2.0.72", or undefined when these bytes are no such version. */
  get text(): string | undefined {
    if (this.#head.length < 8) return undefined;
    const [main = 0, major = 0, minor = 0] = [0, 2, 4].map((at) => this.#head.readUInt16LE(at));
    return main > 9 || major > 99 || minor > 999 ? undefined : `${main}.${major}.${minor}`;
  }
}
