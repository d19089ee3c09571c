// biome-ignore-all lint/suspicious/noTemplateCurlyInString: the placeholders are what is tested
import { expect, test } from "vitest";
import { loadStackFile, parseStackFile } from "./stack-file.ts";

const parse = (functions: string, environment = {}) =>
  parseStackFile(`version: 1.0\nprovider: {name: openfaas}\nfunctions:\n${functions}`, "stack.yml", environment);

test("loadStackFile() reads the project's own stack.yml", async () => {
  const stack = await loadStackFile(`${import.meta.dirname}/../../stack.yml`, { KEEPSAKE_TZ: "Europe/Berlin" });
  expect(stack.map(({ service, annotations }) => [service, annotations?.schedule])).toEqual([
    ["backup-sdtd", "CRON_TZ=Europe/Berlin 0 */6 * * *"],
    ["restore-sdtd", undefined],
    ["backup-factorio", "CRON_TZ=Europe/Berlin 0 */6 * * *"],
    ["restore-factorio", undefined],
    ["render-mapshot", "CRON_TZ=Europe/Berlin 0 */4 * * *"],
    ["restore-mapshot", undefined],
    ["cleanup-mapshot", undefined],
    ["backup-postgresql", "CRON_TZ=Europe/Berlin 0 3 * * *"],
    ["restore-postgresql", undefined],
    ["backup-open-webui", "CRON_TZ=Europe/Berlin 0 4 * * *"],
    ["restore-open-webui", undefined],
    ["backup-ollama", "CRON_TZ=Europe/Berlin 0 8 * * *"],
    ["restore-ollama", undefined],
    ["notify", undefined],
    ["status", "CRON_TZ=Europe/Berlin */15 * * * *"],
  ]);
  for (const { service, envVars, image, secrets } of stack) {
    expect({ envVars, image, secrets }).toEqual({
      envVars: expect.objectContaining({ KEEPSAKE_FUNCTION: service }),
      image: expect.stringMatching(/^ghcr\.io\/.+:.+/),
      secrets: expect.arrayContaining(["keepsake-token"]),
    });
  }
});

test("loadStackFile() names a file that is not there", async () => {
  await expect(loadStackFile("/nowhere/stack.yml", {})).rejects.toMatchObject({ code: "invalid_config" });
});

test.each([
  ["${A}", { A: "x" }, "x"],
  ["a${A}", {}, "a"],
  ["${A:-y}", {}, "y"],
  ["${A:-y}", { A: "" }, "y"],
  ["${A:-y}", { A: "x" }, "x"],
  ["${A:-}b${B:-c d}", {}, "bc d"],
])('parseStackFile() substitutes "%s" with %j', (image, environment, expected) => {
  expect(parse(`  f: {image: "${image}"}`, environment)[0]?.image).toBe(expected);
});

test.each(["${A:=x}", "${A/x/y}", "${#A}", "${}", "${A", "${A:-${B}}"])('parseStackFile() refuses "%s"', (image) => {
  expect(() => parse(`  f: {image: "${image}"}`)).toThrow(
    /Cannot use the stack file "stack.yml": .*\$\{NAME:-default\}/,
  );
});

test("parseStackFile() takes what faas-cli takes: scalars as text, anchors, unknown keys", () => {
  const [first, second] = parse(
    "  a: &a {image: i, lang: dockerfile, handler: ., environment: {n: 5, yes: true}, limits: {memory: 40Mi}}\n" +
      "  b: {<<: *a, skip_build: true, labels: {x: 1}}",
  );
  expect(first).toMatchObject({ service: "a", envVars: { n: "5", yes: "true" }, limits: { memory: "40Mi" } });
  expect(second).toMatchObject({ service: "b", image: "i", labels: { x: "1" }, envVars: { n: "5" } });
});

test("parseStackFile() names every mistake", () => {
  expect(() => parse("  a: {}\n  b: {image: i, secrets: x}")).toThrow(
    /functions\.a\.image: .*; functions\.b\.secrets: /,
  );
  expect(() => parseStackFile("version: 2\nprovider: {name: faas}\nfunctions: {}", "s", {})).toThrow(
    /version: .*; provider\.name: /,
  );
  expect(() => parse("  a: [")).toThrow("Cannot use the stack file");
});
