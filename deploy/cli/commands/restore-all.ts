import type { Plan } from "../../../shared/run/report.ts";
import { type App, discover } from "../apps.ts";
import { type Command, confirm, requireAnswerable, type Session } from "../command.ts";
import { type CliError, endsAll, exits, usage } from "../exit.ts";
import { describeFailure } from "../failure.ts";
import { formatTable } from "../format.ts";
import { summarise } from "../outcome.ts";
import { type Decision, decideRestore, describeDecision } from "../plan.ts";
import { planRestore, restorePoint } from "./restore.ts";

interface Planned {
  readonly app: App;
  readonly plan: Plan;
  readonly decision: Decision;
}

export const restoreAll: Command = {
  name: "restore-all",
  names: "none",
  takes: ["apps", "allow", "yes"],
  summary: "put the data of every app back",
  details:
    "Shows one plan for all and asks once. Where nothing is there, or older data: restored. Where newer data is there:\n" +
    "kept, unless APPS= names the app. Where there is no backup: skipped. A failure does not stop the ones after it.",
  async run(session) {
    const { client, types, options, terminal, clock } = session;
    requireAnswerable(session, "restore");
    const { apps, failed } = await discover(client, types);
    requireKnown(options.apps, apps);
    const ends: { app: string; end: string }[] = [];
    const fail = (error: unknown, app: string, label: string) => {
      for (const line of describeFailure(error, label)) terminal.err(line);
      ends.push({ app, end: "failed" });
    };
    for (const { fn, error } of failed) fail(error, fn.type, fn.backup);

    const planned: Planned[] = [];
    for (const app of apps) {
      try {
        const plan = await planRestore(session, app);
        planned.push({ app, plan, decision: decideRestore(plan, options.apps.includes(app.view.app)) });
      } catch (error) {
        if (endsAll(error)) throw error;
        fail(error, app.view.app, app.label);
      }
    }
    const rows = planned.map(({ app, plan, decision }) => describeDecision(app.label, plan, decision, clock()));
    for (const line of formatTable([["APP", "PLAN", "BACKUP", "WHAT IS THERE", "WHY"], ...rows])) terminal.err(line);
    for (const { app, decision } of planned) {
      if (decision.action !== "restore")
        ends.push({ app: app.view.app, end: decision.action === "keep" ? "kept" : "skipped" });
    }
    const todo = planned.filter(({ decision }) => decision.action === "restore");
    if (todo.length > 0) {
      if (!(await confirm(session, `Restore ${todo.map(({ app }) => app.label).join(", ")}?`))) return exits.failed;
      for (const one of todo) await restoreOne(session, one, ends, fail);
    }
    terminal.out(summarise(ends));
    if (ends.some(({ end }) => end === "kept")) terminal.err("To replace newer data as well: APPS=name,name");
    return ends.some(({ end }) => end === "failed") ? exits.failed : exits.ok;
  },
};

async function restoreOne(
  session: Session,
  { app, plan }: Planned,
  ends: { app: string; end: string }[],
  fail: (error: unknown, app: string, label: string) => void,
): Promise<void> {
  try {
    const well = await restorePoint(session, app, plan.point?.id ?? "");
    ends.push({ app: app.view.app, end: well ? "restored" : "failed" });
  } catch (error) {
    if (endsAll(error)) throw error;
    fail(error as CliError, app.view.app, app.label);
  }
}

function requireKnown(names: readonly string[], apps: readonly App[]): void {
  const unknown = names.filter((name) => !apps.some(({ view }) => view.app === name));
  if (unknown.length === 0) return;
  throw usage(
    `Cannot restore "${unknown.join(", ")}": one of ${apps.map(({ view }) => view.app).join(", ")} is wanted`,
  );
}
