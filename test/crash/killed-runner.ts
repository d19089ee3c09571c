import { appendFileSync } from "node:fs";
import { runner } from "../../functions/run.ts";

/*
 * The runner, killed with SIGKILL right before its step n (0: never). Every step is written to a file first.
 * node killed-runner.ts <n> <steps.txt> <keepsake.yaml> <run.json>
 */
const [killAt, stepsPath, ...args] = process.argv.slice(2);
let steps = 0;
process.exitCode = await runner(args, (what) => {
  steps += 1;
  appendFileSync(stepsPath as string, `${what}\n`);
  if (steps === Number(killAt)) process.kill(process.pid, "SIGKILL");
});
