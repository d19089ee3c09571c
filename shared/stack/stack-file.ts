import { readFile } from "node:fs/promises";
import { parse } from "yaml";
import { z } from "zod";
import { Failure } from "../failures.ts";

/** faas-cli takes any scalar where it wants text: `true`, `5`. */
const text = z.union([z.string(), z.number(), z.boolean()]).transform(String);
const texts = z.record(z.string(), text);
const Resources = z.object({ memory: text.optional(), cpu: text.optional() });

/** One function as faas-cli reads it (schema 1.0); what only concerns building is left out. */
const StackFunction = z.object({
  image: z.string().min(1),
  namespace: z.string().optional(),
  fprocess: z.string().optional(),
  environment: texts.nullish(),
  secrets: z.array(z.string()).nullish(),
  constraints: z.array(z.string()).nullish(),
  labels: texts.nullish(),
  annotations: texts.nullish(),
  limits: Resources.nullish(),
  requests: Resources.nullish(),
  readonly_root_filesystem: z.boolean().optional(),
});

const StackFile = z.object({
  version: z
    .union([z.string(), z.number()])
    .optional()
    .refine((version) => version === undefined || Number(version) === 1, '"1.0" is the only version'),
  provider: z.object({ name: z.literal("openfaas") }),
  functions: z.record(z.string().regex(/^[a-z0-9](?:[-a-z0-9]*[a-z0-9])?$/), StackFunction),
});

/** A function to deploy, in the shape of faas-cli's request (`FunctionDeployment` of faas-provider). */
export const Deployment = z.object({
  service: z.string().min(1),
  image: z.string().min(1),
  namespace: z.string().optional(),
  envProcess: z.string().optional(),
  envVars: z.record(z.string(), z.string()).nullish(),
  constraints: z.array(z.string()).nullish(),
  secrets: z.array(z.string()).nullish(),
  labels: z.record(z.string(), z.string()).nullish(),
  annotations: z.record(z.string(), z.string()).nullish(),
  limits: Resources.nullish(),
  requests: Resources.nullish(),
  readOnlyRootFilesystem: z.boolean().optional(),
});
export type Deployment = z.infer<typeof Deployment>;

type Environment = Readonly<Record<string, string | undefined>>;

/**
 * Reads a stack.yml.
 * @param environment For `${NAME:-default}`.
 * @returns Its functions, in the file's order, as faas-cli would deploy them.
 * @throws {Failure} `invalid_config`.
 */
export async function loadStackFile(path: string, environment: Environment): Promise<Deployment[]> {
  const file = await readFile(path, "utf8").catch((cause) => {
    throw new Failure("invalid_config", `Cannot read the stack file "${path}": ${cause.message}`, { cause });
  });
  return parseStackFile(file, path, environment);
}

export function parseStackFile(file: string, path: string, environment: Environment): Deployment[] {
  const invalid = (problem: string, cause?: unknown) =>
    new Failure("invalid_config", `Cannot use the stack file "${path}": ${problem}`, { cause });
  let raw: unknown;
  try {
    raw = parse(substitute(file, environment), { merge: true });
  } catch (cause) {
    throw invalid((cause as Error).message, cause);
  }
  const stack = StackFile.safeParse(raw);
  if (!stack.success) {
    throw invalid(stack.error.issues.map((issue) => `${issue.path.join(".")}: ${issue.message}`).join("; "));
  }
  return Object.entries(stack.data.functions).map(([service, fn]) => ({
    service,
    image: fn.image,
    namespace: fn.namespace,
    envProcess: fn.fprocess,
    envVars: fn.environment,
    constraints: fn.constraints,
    secrets: fn.secrets,
    labels: fn.labels,
    annotations: fn.annotations,
    limits: fn.limits,
    requests: fn.requests,
    readOnlyRootFilesystem: fn.readonly_root_filesystem,
  }));
}

/**
 * Puts environment variables in, everywhere in the text, as faas-cli does (drone/envsubst): `${NAME}` and
 * `${NAME:-default}`, the default also for an empty value. Its other forms are refused, not misread.
 */
function substitute(file: string, environment: Environment): string {
  return file.replaceAll(/\$\{([^}]*)\}?/g, (whole, inner: string) => {
    const [, name, fallback = ""] = /^([A-Za-z_]\w*)(?::-([^${]*))?$/.exec(inner) ?? [];
    if (name === undefined || !whole.endsWith("}")) {
      throw new SyntaxError(`"${whole}" is none of \${NAME} and \${NAME:-default}`);
    }
    return environment[name] || fallback;
  });
}
