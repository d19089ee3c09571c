import type { Plan } from "../../../shared/run/report.ts";
import type { App } from "../apps.ts";
import { type Command, confirm, namedApp, requireAnswerable, type Session } from "../command.ts";
import { CliError, exits } from "../exit.ts";
import { endedWell, whenAndAge } from "../outcome.ts";
import { describePlan } from "../plan.ts";
import { startAndWatch, watch } from "../watch.ts";
import { targetOf } from "./runs.ts";

/**
 * What a restore would do; changes nothing.
 * @throws {CliError} With what the function found: no such point, a NAS that is away.
 */
export async function planRestore(session: Session, app: App, at?: string): Promise<Plan> {
  const { client, clock, options } = session;
  const started = await client.start(app.restore, {
    operation: "plan",
    app: app.view.app,
    ...(at !== undefined && { at, timeZone: clock().timeZone }),
    ...(options.model !== undefined && { only: options.model }),
  });
  const { outcome } = await watch(session, targetOf(app, app.restore), started);
  if (outcome?.plan) return outcome.plan;
  const { message, hint } = outcome?.failure ?? {
    message: `Cannot plan the restore of "${app.view.app}"`,
    hint: undefined,
  };
  throw new CliError(exits.failed, message, { hint });
}

/** Restores exactly the point that the plan showed, however many newer ones there are by now. */
export async function restorePoint(session: Session, app: App, pointId: string): Promise<boolean> {
  const { to, model, allow } = session.options;
  const run = await startAndWatch(session, targetOf(app, app.restore), {
    operation: "restore",
    app: app.view.app,
    at: pointId,
    ...(to !== undefined && { to }),
    ...(model !== undefined && { only: model }),
    allow: [...allow],
  });
  return endedWell(run);
}

export const restore: Command = {
  name: "restore",
  names: "one",
  takes: ["at", "to", "model", "allow", "yes"],
  summary: "put an app's data back",
  details:
    "Shows what will be replaced by what, and asks. The newest restore point unless AT= says otherwise. What was there\n" +
    "is set aside for undo-restore. With TO= the data goes beside production, which is not touched, and nobody is asked.",
  async run(session) {
    const { options, terminal, clock } = session;
    if (options.to === undefined) requireAnswerable(session, "restore");
    const app = await namedApp(session);
    const plan = await planRestore(session, app, options.at);
    for (const line of describePlan(app.label, plan, clock(), options.to)) terminal.err(line);
    if (!plan.point) return exits.failed;
    if (options.to === undefined && !(await confirm(session, "Restore it?"))) return exits.failed;
    return (await restorePoint(session, app, plan.point.id)) ? exits.ok : exits.failed;
  },
};

export const undoRestore: Command = {
  name: "undo-restore",
  names: "one",
  takes: ["yes"],
  summary: "put back what the last restore replaced",
  async run(session) {
    const { terminal, clock } = session;
    requireAnswerable(session, "undo a restore");
    const app = await namedApp(session);
    const { undo, present, stopsApp } = await planRestore(session, app);
    if (!undo) {
      terminal.err(`${app.label}: there is nothing to put back: no restore replaced anything, or it was too long ago`);
      return exits.failed;
    }
    terminal.err(`${app.label}:`);
    terminal.err(`  puts back ${undo.label}, set aside ${whenAndAge(undo.setAsideAt, clock())}`);
    terminal.err(`  replaces  ${present?.label ?? "nothing: nothing is there"}, which is set aside in turn`);
    terminal.err(`  the app   ${stopsApp ? "is stopped, and started again afterwards" : "keeps running"}`);
    if (!(await confirm(session, "Undo the restore?"))) return exits.failed;
    const run = await startAndWatch(session, targetOf(app, app.restore), { operation: "undo", app: app.view.app });
    return endedWell(run) ? exits.ok : exits.failed;
  },
};
