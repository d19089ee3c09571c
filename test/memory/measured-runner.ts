import { writeFileSync } from "node:fs";
import { runner } from "../../functions/run.ts";

/** The runner, which writes down its peak of resident memory, in bytes: node measured-runner.ts <file> <keepsake.yaml> <run.json> */
const [peakPath, ...args] = process.argv.slice(2);
process.exitCode = await runner(args);
// maxRSS is in KiB (getrusage(2) on Linux, as Node passes it on).
writeFileSync(peakPath as string, String(process.resourceUsage().maxRSS * 1024));
