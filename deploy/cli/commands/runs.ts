import type { RunRequest } from "../../../shared/run/description.ts";
import { type App, discover, findApp } from "../apps.ts";
import { type Command, namedApp, type Session } from "../command.ts";
import { endsAll, exits, usage } from "../exit.ts";
import { describeFailure } from "../failure.ts";
import { endedWell, summarise } from "../outcome.ts";
import { startAndWatch, tell, watch } from "../watch.ts";

const exitOf = (well: boolean) => (well ? exits.ok : exits.failed);

/** A command that is one run of the backup function for each app; a failure does not stop the ones after it. */
const eachOf = (
  about: Pick<Command, "name" | "takes" | "summary" | "details">,
  request: (app: string, session: Session) => RunRequest,
): Command => ({
  ...about,
  names: "some",
  async run(session) {
    const { client, types, options, terminal } = session;
    const found = await discover(client, types);
    const apps = options.all ? found.apps : options.names.map((name) => findApp(found, name));
    const failed = options.all ? found.failed : [];
    const ends: { app: string; end: string }[] = [];
    for (const { fn, error } of failed) {
      for (const line of describeFailure(error, fn.backup)) terminal.err(line);
      ends.push({ app: fn.type, end: "failed" });
    }
    let well = failed.length === 0;
    for (const app of apps) {
      const end = await runOne(session, app, request(app.view.app, session));
      ends.push({ app: app.view.app, end: end.status });
      well &&= end.well;
    }
    if (ends.length > 1) terminal.out(summarise(ends));
    return exitOf(well);
  },
});

export const backup = eachOf(
  {
    name: "backup",
    takes: ["all", "allow"],
    summary: "back up apps, now",
    details: "One after the other; a failure does not stop the ones after it.",
  },
  (app, { options }) => ({ operation: "backup", app, allow: [...options.allow] }),
);

export const adopt = eachOf(
  {
    name: "adopt",
    takes: ["all"],
    summary: "read what another system has put on the NAS, and take over what is sound",
    details:
      "Its files then count, are scrubbed and drilled like those of Keepsake. What cannot be vouched for is named and left.\n" +
      "Nothing outside of the hidden folder .keepsake is changed.",
  },
  (app) => ({ operation: "adopt", app }),
);

async function runOne(session: Session, app: App, request: RunRequest): Promise<{ status: string; well: boolean }> {
  try {
    const run = await startAndWatch(session, targetOf(app, app.backup), request);
    return { status: run.status, well: endedWell(run) };
  } catch (error) {
    if (endsAll(error)) throw error;
    for (const line of describeFailure(error, app.label)) session.terminal.err(line);
    return { status: "failed", well: false };
  }
}

export const targetOf = (app: App, fn: string) => ({ fn, app: app.view.app, label: app.label });

/** A command that is one quick run of the backup function. */
const quick = (
  about: Pick<Command, "name" | "takes" | "summary" | "details">,
  request: (app: string, session: Session) => RunRequest,
): Command => ({
  ...about,
  names: "one",
  async run(session) {
    const app = await namedApp(session);
    return exitOf(endedWell(await startAndWatch(session, targetOf(app, app.backup), request(app.view.app, session))));
  },
});

function pointOf({ options, clock }: Session): { at: string; timeZone: string } {
  if (options.at === undefined) throw usage("Cannot pin or unpin without a restore point: AT=… is wanted");
  return { at: options.at, timeZone: clock().timeZone };
}

export const pin = quick(
  {
    name: "pin",
    takes: ["at"],
    summary: "keep a restore point for good",
    details: "It moves to backups/pinned/, and no retention counts or removes it.",
  },
  (app, session) => ({ operation: "pin", app, ...pointOf(session) }),
);

export const unpin = quick(
  { name: "unpin", takes: ["at"], summary: "leave a pinned restore point to the retention again" },
  (app, session) => ({ operation: "unpin", app, ...pointOf(session) }),
);

export const accept = quick(
  {
    name: "accept",
    takes: [],
    summary: "take the app's present data for the right one",
    details: "Ends the waiting of scheduled backups after the source was found to be another one, or much smaller.",
  },
  (app) => ({ operation: "accept", app }),
);

export const pause = quick(
  {
    name: "pause",
    takes: ["for"],
    summary: "let nothing of an app run by itself for a while: for an upgrade",
    details: "Schedules, events, scrubs and drills wait; what you start yourself runs. It ends by itself.",
  },
  (app, { options: { forSeconds } }) => {
    if (forSeconds === undefined) throw usage("Cannot pause without an end: FOR=… is wanted, such as FOR=2h");
    return { operation: "pause", app, forSeconds };
  },
);

export const resume = quick({ name: "resume", takes: [], summary: "end a pause before its time" }, (app) => ({
  operation: "resume",
  app,
}));

export const scrub = quick(
  {
    name: "scrub",
    takes: ["everything"],
    summary: "read backups back from the NAS and compare them with their checksums",
    details:
      "What is due, at a bounded rate: everything within a week, as long as it is done daily. ALL=1: all of it now.",
  },
  (app, { options }) => ({ operation: "scrub", app, all: options.everything ?? false }),
);

export const drill: Command = {
  name: "drill",
  names: "one",
  takes: ["at"],
  summary: "restore a backup into scratch space, and compare it with what was recorded",
  details:
    "Without AT= the newest and older ones take turns. Nothing of production is touched; it ends with 0 only when proven.",
  async run(session) {
    const { options, clock } = session;
    const app = await namedApp(session);
    const at = options.at === undefined ? {} : { at: options.at, timeZone: clock().timeZone };
    const run = await startAndWatch(session, targetOf(app, app.restore), {
      operation: "drill",
      app: app.view.app,
      ...at,
    });
    return exitOf(endedWell(run));
  },
};

export const cleanup: Command = {
  name: "cleanup",
  names: "one",
  takes: [],
  summary: "remove what nothing refers to any more: old renders of Mapshot, here and on the NAS",
  details: "Each backup does it, too. What is current stays, and so does whatever Keepsake does not know.",
  async run(session) {
    const app = await namedApp(session);
    const { cleanup: fn, view } = app;
    if (fn === undefined) throw usage(`Cannot clean up "${view.app}": its retention does that with each backup`);
    const run = await startAndWatch(session, targetOf(app, fn), { operation: "cleanup", app: view.app });
    return exitOf(endedWell(run));
  },
};

export const cancel: Command = {
  name: "cancel",
  names: "one",
  takes: [],
  summary: "cancel the app's run in progress",
  async run(session) {
    const { client, terminal } = session;
    const app = await namedApp(session);
    const { running = app.view.checking?.[0] } = app.view;
    if (!running) {
      terminal.out(`${app.label}  nothing to cancel: no run in progress`);
      return exits.ok;
    }
    await client.cancel(app.backup, running.runId);
    terminal.err(`${app.label}  cancelling the ${running.operation} that ${running.startedBy} started`);
    const ended = await watch(session, targetOf(app, app.backup), await client.run(app.backup, running.runId));
    tell(session, app.label, ended);
    return exitOf(ended.status === "cancelled");
  },
};
