/**
 * Works on several items at a time and gives the results in the order of the items. Goes on reading and working while
 * the consumer is busy, at most `ahead` items further than what it was given.
 * When anything fails, or the consumer leaves, it ends only after all work under way has ended and the source is
 * closed: whoever called may use its buffers again.
 */
export async function* inOrder<Item, Result>(
  items: AsyncIterable<Item>,
  work: (item: Item) => Promise<Result>,
  ahead: number,
): AsyncGenerator<Result> {
  const results: Promise<Result>[] = [];
  let left = false;
  let ended = false;
  let failed: { error: unknown } | undefined;
  const arrived = new Bell();
  const room = new Bell();

  const read = async () => {
    try {
      for await (const item of items) {
        if (left) return;
        const result = work(item);
        result.catch(() => {});
        results.push(result);
        arrived.ring();
        while (results.length >= ahead && !left) await room.wait();
        if (left) return;
      }
    } catch (error) {
      failed = { error };
    } finally {
      ended = true;
      arrived.ring();
    }
  };
  const reading = read();

  try {
    for (;;) {
      const next = results[0];
      if (next) {
        yield await next;
        results.shift();
        room.ring();
      } else if (ended) {
        break;
      } else {
        await arrived.wait();
      }
    }
    if (failed) throw failed.error;
  } finally {
    left = true;
    room.ring();
    await reading;
    await Promise.allSettled(results);
  }
}

/** Wakes the one who waits, or the next who will. */
class Bell {
  #rung = false;
  #wake: (() => void) | undefined;

  ring(): void {
    this.#rung = true;
    this.#wake?.();
  }

  async wait(): Promise<void> {
    if (!this.#rung) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
    this.#rung = false;
    this.#wake = undefined;
  }
}
