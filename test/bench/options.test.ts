import { expect, test } from "vitest";
import { isWhole, parseOptions } from "./options.ts";

const works = ["world", "store"];
const parse = (...args: string[]) => parseOptions(args, works);

test("parseOptions() takes all of it when nothing is said, as make does with empty variables", () => {
  const whole = { only: [], rounds: 5, scale: 1, folder: undefined };
  expect(parse()).toEqual(whole);
  expect(parse("--only", "", "--rounds", "", "--scale", "", "--folder", "")).toEqual(whole);
  expect(isWhole(whole)).toBe(true);
});

test("parseOptions() takes a part, which is not the whole benchmark", () => {
  expect(parse("--only", "world", "--scale", "0.1")).toMatchObject({ only: ["world"], scale: 0.1 });
  for (const part of [
    ["--only", "world"],
    ["--scale", "0.5"],
    ["--rounds", "1"],
  ]) {
    expect(isWhole(parse(...part))).toBe(false);
  }
});

test("parseOptions() names what is wrong", () => {
  expect(() => parse("--only", "word")).toThrow('Cannot measure "word": some of world, store are wanted');
  expect(() => parse("--rounds", "0")).toThrow("1 to 100 are wanted");
  expect(() => parse("--scale", "2")).toThrow("0.001 to 1 is wanted");
});
