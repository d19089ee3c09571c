import type { RunContext } from "../app.ts";
import type { AppConfig, Config } from "../config.ts";
import { Failure } from "../failures.ts";
import type { Nas } from "../nas/nas.ts";
import type { RestorePoint } from "../nas/points.ts";
import type { RunDescription } from "./description.ts";
import { pointsOf } from "./points-of.ts";
import type { RunLine } from "./report.ts";

/** What an app is given of its run, made from what the process that carries it out has. */
export function contextOf(
  run: RunDescription,
  app: AppConfig,
  {
    tell,
    ...rest
  }: Pick<
    RunContext,
    "canStop" | "disk" | "step" | "log" | "signal" | "now" | "warn" | "scratch" | "companion" | "pointsOf"
  > & {
    tell: (line: RunLine) => void;
  },
): RunContext {
  const allowed: readonly string[] = "allow" in run.request ? run.request.allow : [];
  let last = { phase: "", at: 0 };
  return {
    ...rest,
    app: { name: app.name, type: app.type.type, title: app.type.title },
    settings: app.settings,
    run,
    allows: (override) => allowed.includes(override),
    progress(phase, doneBytes, totalBytes) {
      const at = rest.now();
      const complete = doneBytes !== undefined && doneBytes === totalBytes;
      if (phase === last.phase && !complete && at - last.at < 200) return;
      last = { phase, at };
      tell({
        type: "progress",
        at: new Date(at).toISOString(),
        phase,
        ...(doneBytes !== undefined && { doneBytes }),
        ...(totalBytes !== undefined && { totalBytes }),
      });
    },
  };
}

/** @throws {Failure} `invalid_config` when there is no such app. */
export async function pointsOfApp(config: Config, nas: Nas, name: string): Promise<RestorePoint[]> {
  const app = config.apps.find((candidate) => candidate.name === name);
  if (app) return pointsOf(nas.app(name), app.type);
  throw new Failure("invalid_config", `Cannot find the backups of "${name}": there is no such app in "${config.path}"`);
}
