import { relative } from "node:path";
import { BaseSequencer, type TestSpecification } from "vitest/node";

/** They take a minute and more: begun last, they would run alone at the end, with a core that has nothing to do. */
const longest = ["test/cluster/functions/", "test/cluster/doctor/", "test/demo/demo.test.ts", "test/crash/"];

/** Vitest begins with what took long the last time, which a fresh clone does not know. */
export class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const rank = ({ moduleId }: TestSpecification) => {
      const path = relative(this.ctx.config.root, moduleId);
      const at = longest.findIndex((start) => path.startsWith(start));
      return at < 0 ? longest.length : at;
    };
    return (await super.sort(files)).toSorted((a, b) => rank(a) - rank(b));
  }
}
