import { hash } from "node:crypto";

/** Words of a digest that are kept: 128 bits, of which one says that the place is taken. */
const words = 4;

/**
 * Which of very many texts were there before. It keeps 128 bits of each one's sha256 and not the text: 100,000 names take
 * 4 MB instead of 15, none of which the garbage collector looks at. Nobody can make two texts that it takes for one.
 */
export class SeenTexts {
  /** Open addressing: a text's place is the first free one, or its own, from where its digest points to. */
  #places = new Uint32Array(1024 * words);
  #count = 0;

  get count(): number {
    return this.#count;
  }

  has(text: string): boolean {
    return this.#places[this.#placeOf(digestOf(text))] !== 0;
  }

  /** @returns Whether it was not there before. */
  add(text: string): boolean {
    const digest = digestOf(text);
    const place = this.#placeOf(digest);
    if (this.#places[place] !== 0) return false;
    this.#places.set(digest, place);
    this.#count += 1;
    if (this.#count * words * 2 > this.#places.length) this.#grow();
    return true;
  }

  #placeOf(digest: Uint32Array): number {
    const places = this.#places;
    let place = ((digest[1] as number) * words) % places.length;
    while (places[place] !== 0 && !isAt(places, place, digest)) place = (place + words) % places.length;
    return place;
  }

  #grow(): void {
    const before = this.#places;
    this.#places = new Uint32Array(before.length * 2);
    for (let place = 0; place < before.length; place += words) {
      if (before[place] === 0) continue;
      const digest = before.subarray(place, place + words);
      this.#places.set(digest, this.#placeOf(digest));
    }
  }
}

function digestOf(text: string): Uint32Array {
  const bytes = hash("sha256", text, "buffer");
  const digest = new Uint32Array(words);
  for (let word = 0; word < words; word++) digest[word] = bytes.readUInt32LE(word * 4);
  // A place that is not free never begins with a zero.
  digest[0] = (digest[0] as number) | 1;
  return digest;
}

function isAt(places: Uint32Array, place: number, digest: Uint32Array): boolean {
  for (let word = 0; word < words; word++) if (places[place + word] !== digest[word]) return false;
  return true;
}
