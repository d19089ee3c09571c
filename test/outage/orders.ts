/** Every order of these, first ones first. */
function ordersOf(things: readonly string[]): string[][] {
  if (things.length === 0) return [[]];
  return things.flatMap((first) => ordersOf(things.filter((other) => other !== first)).map((rest) => [first, ...rest]));
}

/** So few of the orders that each `size` of the things come in each of the orders that these have. */
export function fewOrdersOf(things: readonly string[], size: number): string[][] {
  const left = new Map(ordersOf(things).map((order) => [order, partsOf(order, size)]));
  const open = new Set([...left.values()].flat());
  const chosen: string[][] = [];
  while (open.size > 0) {
    let best: { order: string[]; parts: string[] } | undefined;
    for (const [order, all] of left) {
      const parts = all.filter((part) => open.has(part));
      if (!best || parts.length > best.parts.length) best = { order, parts };
    }
    if (!best) break;
    chosen.push(best.order);
    for (const part of best.parts) open.delete(part);
  }
  return chosen;
}

/** So many of the order, in it: "a, b, c" of size 2 has "a b", "a c" and "b c". */
function partsOf(order: readonly string[], size: number): string[] {
  if (size === 0) return [""];
  return order.flatMap((first, i) => partsOf(order.slice(i + 1), size - 1).map((rest) => `${first} ${rest}`));
}
