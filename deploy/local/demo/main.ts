import { join } from "node:path";
import { parseArgs } from "node:util";
import { toFailure } from "../../../shared/failures.ts";
import { formatDuration } from "../../../shared/words.ts";
import { formatWhen } from "../../cli/format.ts";
import { natsFolder } from "../gateway/nats.ts";
import { stopNatsServer } from "../lab/nats/server.ts";
import { claimFolder, endRuns } from "./claim.ts";
import { startDemoGateway } from "./gateway.ts";
import { labApps, placesIn, shown } from "./lab.ts";
import { label, makeLab } from "./make-lab.ts";
import { createScreen } from "./screen.ts";
import { tellStory } from "./story.ts";
import { drawTree } from "./tree.ts";

/*
 * `make demo`: makes a home lab in one folder, backs it up, destroys it, restores it, compares.
 * node deploy/local/demo/main.ts [--folder homelab]
 * Exit status 0 when everything came back as it was, 1 when not, 130 after Ctrl-C. The lab's servers are stopped at
 * its end, however it ends; the lab stays for `make up`, which starts them again.
 */

const clone = join(import.meta.dirname, "../../..");
const { values } = parseArgs({ options: { folder: { type: "string", default: join(clone, "homelab") } } });
const { root, nas, state } = placesIn(values.folder);
const apps = labApps(root);
const screen = createScreen();
const { chapter, say } = screen;

const interrupted = new Promise<"interrupted">((resolve) => {
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
    process.once(signal, () => {
      resolve("interrupted");
      // Whoever asks twice does not want to wait for the tidying.
      process.once(signal, () => process.exit(130));
    });
  }
  // Whoever reads it has seen enough (head), or the terminal is gone: nothing must be left running for that.
  process.stdout.on("error", () => resolve("interrupted"));
});

/** What has to be undone at the end, however it ends; last one first. */
const undo: (() => Promise<void>)[] = [];

async function demo(): Promise<boolean> {
  const startedAtMs = performance.now();
  chapter("Keepsake's demo: a home lab is backed up, destroyed, restored and compared.");
  await claimFolder(root, apps, say);
  undo.push(async () => {
    for (const app of apps) await app.stop();
  });

  chapter(`1. A home lab in ${shown(root)}`);
  await makeLab(root, apps, say);
  undo.push(() => stopNatsServer(natsFolder(state)));
  const gateway = await startDemoGateway(root);
  say(`${label("NATS")}${gateway.nats}`);
  undo.push(gateway.stop, () => endRuns(state));
  if (!(await tellStory(apps, gateway, screen))) return false;

  chapter("5. What a Mac sees on the NAS");
  for (const line of await drawTree(nas, "nas/")) say(line);
  say("(and hidden beside it .keepsake/: checksums, manifests, what became of every run)");

  chapter(`Everything came back as it was. That took ${formatDuration(performance.now() - startedAtMs)}.`);
  return true;
}

function whatNext(): string {
  const clock = { nowMs: Date.now(), timeZone: Intl.DateTimeFormat().resolvedOptions().timeZone };
  return `
What to type next:
  make up                                 serves this lab, with its schedules, until Ctrl-C
and meanwhile, in another terminal:
  make list-factorio                      what you can go back to
  make restore-factorio AT='${formatWhen(clock.nowMs, clock)}'  goes back there: shows what is replaced by what, and asks
  make drill-factorio                     proves that the newest backup can be restored, in scratch space
  make help                               everything else
The page that says whether you are safe: http://127.0.0.1:8080/function/status
`;
}

let status = 1;
try {
  const result = await Promise.race([demo(), interrupted]);
  status = result === "interrupted" ? 130 : result ? 0 : 1;
  if (result === "interrupted") chapter("Interrupted: ending what runs");
  else if (result) process.stdout.write(whatNext());
  else chapter("NOT everything came back as it was: see above.");
} catch (error) {
  const { message, hint, code, cause } = toFailure(error);
  process.stderr.write(`\n${message}\n${hint ? `  ${hint}\n` : ""}`);
  if (code === "internal") process.stderr.write(`${(cause as Error)?.stack ?? ""}\n`);
} finally {
  for (const step of undo.toReversed()) {
    await step().catch((error) => process.stderr.write(`${error.message}\n`));
  }
}
process.exit(status);
