import { expect, test } from "vitest";
import { fewOrdersOf, ordersOf } from "./orders.ts";

test("ordersOf() gives each order once", () => {
  const orders = ordersOf(["a", "b", "c", "d"]).map((order) => order.join(""));
  expect(new Set(orders).size).toBe(24);
  expect(orders).toHaveLength(24);
});

test("fewOrdersOf() has each three things in each of their orders, in far fewer orders than there are", () => {
  const things = ["a", "b", "c", "d", "e", "f"];
  const few = fewOrdersOf(things).map((order) => order.join(""));
  for (const [a, b, c] of ordersOf(things).map((order) => order.slice(0, 3))) {
    const inOrder = new RegExp(`${a}.*${b}.*${c}`);
    expect(
      few.some((order) => inOrder.test(order)),
      `${a}${b}${c}`,
    ).toBe(true);
  }
  expect(few.length).toBeLessThan(20);
});
