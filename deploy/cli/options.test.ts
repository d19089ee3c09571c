import { expect, test } from "vitest";
import { parseOptions } from "./options.ts";

const all = ["at", "to", "allow", "apps", "yes", "for"] as const;

test("parseOptions() takes variables as they are, blanks and shell characters included", () => {
  const env = { AT: "Thu 18:00", TO: "/tmp/a b; $(x)", YES: "1", APPS: "factorio, shared", ALLOW: "smaller" };
  expect(parseOptions(["factorio"], env, all)).toMatchObject({
    names: ["factorio"],
    at: "Thu 18:00",
    to: "/tmp/a b; $(x)",
    yes: true,
    apps: ["factorio", "shared"],
    allow: ["smaller"],
  });
});

test("parseOptions() counts empty variables as absent, and lets an option win", () => {
  const options = parseOptions(["--at", "Fri 00:00"], { AT: "Thu 18:00", GATEWAY: "", TO: " ", YES: "" }, all);
  expect(options).toEqual({
    names: [],
    at: "Fri 00:00",
    allow: [],
    apps: [],
    yes: false,
    all: false,
    help: false,
  });
});

test("parseOptions() looks only at what the command takes", () => {
  expect(parseOptions([], { YES: "1", ALLOW: "nonsense" }, [])).toMatchObject({ yes: false, allow: [] });
});

test.each([["30m", 1800], ["2h", 7200], ["3 D", 259_200]])("parseOptions() takes FOR=%s as %d seconds", (text, seconds) => {
  expect(parseOptions([], { FOR: text }, ["for"]).forSeconds).toBe(seconds);
}); // biome-ignore format: a table

test.each([
  [["--force"], {}, "--force"],
  [[], { ALLOW: "smaller,everything" }, "everything"],
  [[], { YES: "maybe" }, "YES"],
  [[], { FOR: "soon" }, "FOR"],
])("parseOptions() refuses %j with %j", (args, env, named) => {
  expect(() => parseOptions(args, env, all)).toThrow(
    expect.objectContaining({ exit: 2, message: expect.stringContaining(named) }),
  );
});
