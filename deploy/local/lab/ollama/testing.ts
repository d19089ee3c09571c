import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { Settings } from "../../../../functions/ollama/app.ts";
import type { RunContext } from "../../../../shared/app.ts";
import { createStep } from "../../../../shared/step.ts";
import { boxContext, tempFolder } from "../../../../shared/testing.ts";
import { labModels, type MadeModel, makeStore } from "./make-store.ts";

/* What the tests of functions/ollama share. */

export interface Lab {
  readonly root: string;
  /** Ollama's store. */
  readonly models: string;
  /** The mirror's folder on the NAS; nothing is there. */
  readonly nas: string;
  readonly made: readonly MadeModel[];
  readonly ctx: RunContext<Settings>;
  readonly warnings: string[];
}

/** A small store with four models, made a moment ago, and a run's context over it. */
export async function makeLab(settings: Record<string, unknown> = {}): Promise<Lab> {
  const root = await tempFolder();
  const models = join(root, "ollama/models");
  const made = await makeStore(join(root, "ollama"), labModels(30_000));
  const nas = join(root, "nas");
  await mkdir(nas);
  const warnings: string[] = [];
  const ctx: RunContext<Settings> = {
    ...boxContext(createStep()),
    app: { name: "ollama", type: "ollama", title: "Ollama" },
    settings: Settings.parse({ models, ...settings }),
    now: Date.now,
    warn: (message) => void warnings.push(message),
  };
  return { root, models, nas, made, ctx, warnings };
}
