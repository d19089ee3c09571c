import { expect, test } from "vitest";
import { fewOrdersOf } from "./orders.ts";

test("fewOrdersOf() has each three things in each of their orders, in far fewer orders than there are", () => {
  const things = [..."abcdef"];
  const few = fewOrdersOf(things, 3).map((order) => order.join(""));
  for (const a of things)
    for (const b of things)
      for (const c of things) {
        if (new Set([a, b, c]).size < 3) continue;
        const inOrder = new RegExp(`${a}.*${b}.*${c}`);
        expect(
          few.some((order) => inOrder.test(order)),
          a + b + c,
        ).toBe(true);
      }
  expect(few.length).toBeLessThan(20);
});

test("fewOrdersOf() gives every order when each of them is wanted", () => {
  const all = fewOrdersOf([..."abcd"], 4).map((order) => order.join(""));
  expect(new Set(all).size).toBe(24);
  expect(all).toHaveLength(24);
});
