import { Bell } from "./clock.ts";
import type { Item } from "./item.ts";

/** What is to be told, oldest first. */
export class Held {
  #items: readonly Item[] = [];
  /** Rings when something came. */
  readonly came = new Bell();
  /** Rings when something went. */
  readonly went = new Bell();

  get items(): readonly Item[] {
    return this.#items;
  }

  find(id: string): Item | undefined {
    return this.#items.find((item) => item.id === id);
  }

  add(item: Item): void {
    this.#items = [...this.#items, item].toSorted((a, b) => a.storedAt - b.storedAt);
    this.came.ring();
  }

  remove(item: Item): void {
    this.#items = this.#items.filter((other) => other !== item);
    this.went.ring();
  }
}
