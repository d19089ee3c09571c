import { expect, test } from "vitest";
import { SeenTexts } from "./seen-texts.ts";

test("SeenTexts knows each of very many texts again, and no other", () => {
  const seen = new SeenTexts();
  const texts = Array.from({ length: 50_000 }, (_, index) => `Region/r.${index % 317}.${index}.7rg`);
  expect(texts.filter((text) => !seen.add(text))).toEqual([]);
  expect(seen.count).toBe(50_000);
  expect(texts.filter((text) => seen.add(text) || !seen.has(text))).toEqual([]);
  expect(texts.filter((text) => seen.has(`${text} `))).toEqual([]);
  expect(seen.has("")).toBe(false);
  expect(seen.count).toBe(50_000);
});
