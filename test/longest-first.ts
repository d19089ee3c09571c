import { relative } from "node:path";
import { BaseSequencer, type TestSpecification } from "vitest/node";

/** What takes longest: begun last, it would run alone at the end, with a core that has nothing to do. */
const longest = [
  "test/cluster/functions/",
  "test/cluster/deploy/",
  "test/nfs/",
  "test/cluster/comes-back/jobs.test.ts",
  "test/cluster/comes-back/faults.test.ts",
  "test/cluster/doctor/",
  "test/cluster/workload/hindered.test.ts",
  "test/cluster/comes-back/",
  "test/demo/demo.test.ts",
  "test/crash/",
  "test/outage/",
  "functions/postgresql/",
  "functions/status/page/",
  "test/promises/",
  "test/runtimes/",
  "test/drills/postgresql.test.ts",
  "deploy/cli/main.test.ts",
  "test/memory/",
  "test/readme/",
];

/**
 * Vitest begins with what took long the last time, which a fresh clone does not know. Files that share their processes
 * come last: they are short, and one process goes on with them where they follow one another.
 */
export class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const rank = ({ moduleId, project }: TestSpecification) => {
      const path = relative(this.ctx.config.root, moduleId);
      const at = longest.findIndex((start) => path.startsWith(start));
      if (at >= 0) return at;
      return longest.length + (project.config.isolate ? 0 : 1);
    };
    return (await super.sort(files)).toSorted((a, b) => rank(a) - rank(b));
  }
}
