/** Every order of these, first ones first. */
export function ordersOf<T>(things: readonly T[]): T[][] {
  if (things.length === 0) return [[]];
  return things.flatMap((first) => ordersOf(things.filter((other) => other !== first)).map((rest) => [first, ...rest]));
}

/** So few of the orders that each three of the things come in each of their six orders. */
export function fewOrdersOf(things: readonly string[]): string[][] {
  const left = new Map(ordersOf(things).map((order) => [order, triplesOf(order)]));
  const open = new Set([...left.values()].flat());
  const chosen: string[][] = [];
  while (open.size > 0) {
    let best: { order: string[]; triples: string[] } | undefined;
    for (const [order, triples] of left) {
      const fresh = triples.filter((triple) => open.has(triple));
      if (!best || fresh.length > best.triples.length) best = { order, triples: fresh };
    }
    if (!best) break;
    chosen.push(best.order);
    for (const triple of best.triples) open.delete(triple);
  }
  return chosen;
}

function triplesOf(order: readonly string[]): string[] {
  return order.flatMap((a, i) =>
    order.slice(i + 1).flatMap((b, j) => order.slice(i + j + 2).map((c) => `${a} ${b} ${c}`)),
  );
}
