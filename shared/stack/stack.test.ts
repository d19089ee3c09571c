import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { parse } from "yaml";
import { z } from "zod";

const quantity = z.string().regex(/^\d+(?:m|Mi|Gi)?$/);
const resources = z.strictObject({ memory: quantity.optional(), cpu: quantity.optional() });

/** What faas-cli reads of a stack file (its stack/schema.go); texts are texts, for Go takes nothing else. */
const StackFile = z.strictObject({
  version: z.literal(1),
  provider: z.strictObject({ name: z.literal("openfaas") }),
  configuration: z.strictObject({ copy: z.array(z.string()) }),
  functions: z.record(
    z.string(),
    z.strictObject({
      image: z.string(),
      lang: z.string().optional(),
      handler: z.string().optional(),
      skip_build: z.boolean().optional(),
      environment: z.record(z.string(), z.string()),
      secrets: z.array(z.string()),
      labels: z.record(z.string(), z.string()).optional(),
      annotations: z.record(z.string(), z.string()).optional(),
      requests: resources,
      limits: resources,
      readonly_root_filesystem: z.literal(true),
    }),
  ),
});

test("stack.yml is what faas-cli reads, with all that a function needs, and no more functions than the free edition takes", async () => {
  const stack = StackFile.parse(parse(await readFile(join(import.meta.dirname, "../../stack.yml"), "utf8")));
  expect(Object.keys(stack.functions)).toHaveLength(15);
  for (const [name, { environment, secrets, annotations = {}, limits, requests }] of Object.entries(stack.functions)) {
    expect(environment).toMatchObject({
      KEEPSAKE_FUNCTION: name,
      KEEPSAKE_CONFIG: "/var/openfaas/secrets/keepsake-config",
    });
    for (const time of ["read_timeout", "write_timeout", "exec_timeout", "healthcheck_interval"])
      expect(environment[time]).toMatch(/^\d+s$/);
    expect(secrets).toEqual(expect.arrayContaining(["keepsake-config", "keepsake-token"]));
    expect([typeof limits.memory, typeof requests.memory]).toEqual(["string", "string"]);
    // Either by the clock or by events; and those that have to live without the NAS never see it.
    expect(annotations.topic === "cron-function").toBe(annotations.schedule !== undefined);
    expect(annotations["keepsake.dev/export"]).toBe(/^(?:notify|status)$/.test(name) ? undefined : "read-only");
  }
});
