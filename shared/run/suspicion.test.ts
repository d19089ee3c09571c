import fc from "fast-check";
import { expect, test } from "vitest";
import { openNas } from "../nas/nas.ts";
import { createStep } from "../step.ts";
import { boxContext, boxRun, describeRun } from "../testing.ts";
import type { Override } from "./description.ts";
import { type Baseline, refuseSuspicious } from "./suspicion.ts";

const mine = { id: "map-1", label: "map one" };
const other = { id: "map-2", label: "map two" };
const folders = openNas("/nas").app("box");

function refusal(baseline: Baseline, source: Parameters<typeof refuseSuspicious>[2], allow: Override[] = []) {
  const run = describeRun({ request: { operation: "backup", app: "box", allow } });
  try {
    refuseSuspicious(boxRun(boxContext(createStep(), run), folders), baseline, source);
    return undefined;
  } catch (error) {
    return error as { code: string; message: string; hint: string };
  }
}

test("refuseSuspicious() lets pass what is the same source and about as large", () => {
  for (const sizeBytes of [500, 1000, 5000]) {
    expect(refusal({ identity: mine, sourceBytes: 1000 }, { identity: mine, sizeBytes })).toBeUndefined();
  }
});

test("refuseSuspicious() lets pass what it knows nothing of: a first backup, an app that cannot tell", () => {
  expect(refusal({}, { identity: mine, sizeBytes: 1 })).toBeUndefined();
  expect(refusal({ identity: mine, sourceBytes: 1000 }, {})).toBeUndefined();
});

test("refuseSuspicious() refuses another source, however large (a rebuilt app's empty volume pushed out good snapshots elsewhere)", () => {
  const refused = refusal({ identity: mine, sourceBytes: 1 }, { identity: other, sizeBytes: 9999 });
  expect(refused).toMatchObject({
    code: "source_replaced",
    message: expect.stringMatching(/map one is wanted, is map two/),
  });
  expect(refused?.hint).toMatch(/make restore-box.*make accept-box/);
  expect(refusal({ identity: mine }, { identity: { ...mine, label: "renamed" } })).toBeUndefined();
});

test("refuseSuspicious() refuses an empty source, whatever is allowed and also when it is the first", () => {
  for (const allow of [[], ["smaller", "replaced"]] as Override[][]) {
    expect(refusal({ identity: mine, sourceBytes: 1000 }, { identity: mine, sizeBytes: 0 }, allow)?.code).toBe(
      "source_empty",
    );
    expect(refusal({}, { sizeBytes: 0 }, allow)?.code).toBe("source_empty");
  }
});

test("refuseSuspicious() refuses a source of less than the share that the settings ask for", () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 2 ** 50 }), fc.integer({ min: 1, max: 2 ** 50 }), (before, sizeBytes) => {
      const refused = refusal({ sourceBytes: before }, { sizeBytes });
      expect(refused?.code).toBe(sizeBytes < Math.floor(before / 2) ? "source_smaller" : undefined);
    }),
  );
  expect(refusal({ sourceBytes: 1000 }, { sizeBytes: 499 })?.hint).toMatch(/make backup-box ALLOW=smaller/);
});

test("refuseSuspicious() lets each override allow its own case, and no other", () => {
  const [both, now] = [
    { identity: mine, sourceBytes: 1000 },
    { identity: other, sizeBytes: 1 },
  ];
  expect(refusal(both, now)?.code).toBe("source_replaced");
  expect(refusal(both, now, ["smaller", "superuser-owner"])?.code).toBe("source_replaced");
  expect(refusal(both, now, ["replaced"])?.code).toBe("source_smaller");
  expect(refusal(both, now, ["replaced", "smaller"])).toBeUndefined();
});
