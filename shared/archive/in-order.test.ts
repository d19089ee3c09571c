import { setImmediate } from "node:timers/promises";
import { expect, test } from "vitest";
import { inOrder } from "./in-order.ts";

/** Numbers from 0, that tell how far they were read and whether they were closed. */
function numbers(count: number, failAt = Number.POSITIVE_INFINITY) {
  const seen = { read: 0, closed: false };
  const items = (async function* () {
    try {
      for (; seen.read < count; seen.read += 1) {
        if (seen.read === failAt) throw new Error("disk gone");
        yield seen.read;
      }
    } finally {
      seen.closed = true;
    }
  })();
  return { items, seen };
}

async function turns(count: number) {
  for (let turn = 0; turn < count; turn += 1) await setImmediate();
}

test("inOrder() gives results in the order of the items, whichever is ready first", async () => {
  const { items } = numbers(50);
  const results: number[] = [];
  const work = async (n: number) => {
    await turns((n * 7) % 5);
    return n * 2;
  };
  for await (const result of inOrder(items, work, 4)) results.push(result);
  expect(results).toEqual(Array.from({ length: 50 }, (_, n) => n * 2));
});

test("inOrder() works on ahead of a busy consumer, and no further than it may", async () => {
  const { items, seen } = numbers(100);
  let working = 0;
  let most = 0;
  const work = async (n: number) => {
    working += 1;
    most = Math.max(most, working);
    await turns(2);
    working -= 1;
    return n;
  };
  for await (const n of inOrder(items, work, 4)) {
    if (n === 10) {
      await turns(30);
      expect(seen.read - n).toBeLessThanOrEqual(5);
      expect(seen.read - n).toBeGreaterThanOrEqual(3);
    }
  }
  expect(most).toBe(4);
});

test("inOrder() passes on what the source throws, after what came before it", async () => {
  const { items } = numbers(9, 5);
  const results: number[] = [];
  const run = async () => {
    for await (const n of inOrder(items, async (n) => n, 3)) results.push(n);
  };
  await expect(run()).rejects.toThrow("disk gone");
  expect(results).toEqual([0, 1, 2, 3, 4]);
});

test.each(["the consumer leaves", "a work fails"])(
  "inOrder() has closed the source and ended all work when %s",
  async (how) => {
    const { items, seen } = numbers(1000);
    let working = 0;
    const work = async (n: number) => {
      working += 1;
      await turns(n + 1);
      working -= 1;
      if (how === "a work fails" && n === 3) throw new Error("no");
      return n;
    };
    const run = async () => {
      for await (const n of inOrder(items, work, 4)) if (n === 3) return;
    };
    if (how === "a work fails") await expect(run()).rejects.toThrow("no");
    else await run();
    expect(working).toBe(0);
    expect(seen.closed).toBe(true);
  },
);
