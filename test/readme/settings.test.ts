import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { parse } from "yaml";
import { z } from "zod";
import { routeOf } from "../../functions/notify/route.ts";
import { NotifySettings, readSettings } from "../../functions/notify/settings.ts";
import { StatusSettings } from "../../functions/status/settings.ts";
import { loadAppTypes } from "../../functions/types.ts";
import { isMirror } from "../../shared/app.ts";
import { CommonSettings, ConfigFile, parseConfig } from "../../shared/config.ts";
import { blockBelow, readmePath } from "./blocks.ts";

const types = await loadAppTypes();
const readme = await readFile(readmePath, "utf8");
const clone = join(import.meta.dirname, "../..");

/** The README's table: default by name. */
const table = new Map(
  [...readme.matchAll(/^\| `([^`]+)` \| (?:`([^`]*)`|(–|required)) \| \S.* \|$/gm)].map(
    ([, name = "", value, word]) => [name, value ?? word ?? ""] as const,
  ),
);

interface Json {
  type?: string;
  properties?: Record<string, Json>;
  required?: string[];
  default?: unknown;
  additionalProperties?: Json | boolean;
}

/** Every setting of a schema with its default, as the table writes it. */
function settingsOf(schema: z.ZodType, prefix = ""): [string, string][] {
  const jsonOf = (io: "input" | "output") => z.toJSONSchema(schema, { io, unrepresentable: "any" }) as Json;
  const walk = (given: Json, used: Json | undefined, path: string): [string, string][] =>
    Object.entries(given.properties ?? {}).flatMap(([key, value]): [string, string][] => {
      const usedAs = used?.properties?.[key];
      // A default that is no longer text, such as a mode, stands only there.
      const byDefault = value.default ?? usedAs?.default;
      const inner = [...walk(value, usedAs, `${path}${key}.`), ...ofEach(value, usedAs, `${path}${key}.<app>.`)];
      if (inner.length > 0 && byDefault !== undefined && value.properties) return inner;
      const own = byDefault === undefined ? "–" : shown(key, byDefault);
      return [[path + key, given.required?.includes(key) ? "required" : own], ...inner];
    });
  /** Of an object by app: what stands under each name. */
  const ofEach = (given: Json, used: Json | undefined, path: string) => {
    const { additionalProperties: each } = given;
    const usedAs = used?.additionalProperties;
    return typeof each === "object" ? walk(each, typeof usedAs === "object" ? usedAs : undefined, path) : [];
  };
  return walk(jsonOf("input"), jsonOf("output"), prefix);
}

function shown(key: string, value: unknown): string {
  if (typeof value === "object" && value !== null && Object.keys(value).length === 0) return "–";
  return key.endsWith("Mode") ? `0${Number(value).toString(8)}` : String(value);
}

test("the README's table has every setting, with the default that the schema has", () => {
  const keep = types.flatMap((type) => (isMirror(type) ? [] : [`${type.type}: ${type.keep}`])).join(", ");
  const wanted = new Map([
    ...settingsOf(ConfigFile),
    ...settingsOf(NotifySettings, "notify."),
    ...settingsOf(StatusSettings, "status."),
    ...settingsOf(CommonSettings, "apps.<app>."),
    ...types.flatMap(({ type, settings }) => settingsOf(settings, `apps.<${type}>.`)),
    ["apps.<app>.keep", keep] as const,
  ]);
  expect(wanted.size).toBeGreaterThan(35);
  expect(Object.fromEntries([...table].filter(([name]) => /[a-z]/.test(name)))).toEqual(Object.fromEntries(wanted));
});

test("the README's table has the variables of make and of stack.yml, with their defaults", async () => {
  const makefile = await readFile(join(clone, "Makefile"), "utf8");
  const stack = await readFile(join(clone, "stack.yml"), "utf8");
  const variables = [
    ...makefile.matchAll(/^(PORT|CONFIG) \??= *(\S+)$/gm),
    ...stack.matchAll(/\$\{(\w+):-([^}]+)\}/g),
  ].map(([, name = "", value = ""]) => [name, value]);
  const others = { GATEWAY: "–", TOKEN_FILE: "–", NATS_URL: "–" };
  expect(Object.fromEntries([...table].filter(([name]) => !/[a-z]/.test(name)))).toEqual({
    ...Object.fromEntries(variables),
    ...others,
  });
});

test("the README's keepsake.yaml is a valid one", async () => {
  const config = parseConfig(
    await blockBelow("What you leave out has the default"),
    "/etc/keepsake/keepsake.yaml",
    types,
  );
  expect(config.apps.map(({ name, type }) => [name, type.type])).toEqual([
    ["factorio", "factorio"],
    ["factorio-two", "factorio"],
    ["postgresql", "postgresql"],
  ]);
});

test("the README's settings of notify are valid ones", async () => {
  const { notify } = parse(await blockBelow("What is told where")) as { notify: object };
  const settings = readSettings(notify, ["factorio", "postgresql"]);
  expect(routeOf(settings, "unchanged", "postgresql")).toEqual({ how: "digest" });
  expect(routeOf(settings, "created", "factorio")).toEqual({ how: "quiet", topic: 5 });
  expect(routeOf(settings, "failed", "factorio")).toEqual({ how: "loud", topic: 5 });
  expect(routeOf(settings, "failed", "postgresql")).toEqual({ how: "loud", chat: "-1009876543210" });
});

test("paths that begin with ./ are beside the file, as the README says", () => {
  const yaml = "nas: ./nas\napps:\n  factorio:\n    saves: ./saves\n    rcon: { passwordFile: ./secrets/rcon }\n";
  const config = parseConfig(yaml, "/lab/keepsake.yaml", types);
  expect(config.nas).toBe("/lab/nas");
  expect(config.apps[0]?.settings).toMatchObject({ saves: "/lab/saves", rcon: { passwordFile: "/lab/secrets/rcon" } });
});
