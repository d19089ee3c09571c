import { appendFile, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { formatTable } from "../../deploy/cli/format.ts";
import type { TakenMessage } from "../../deploy/local/lab/telegram/bot-api.ts";
import { killsAtAll } from "../crash/kill.ts";
import { type OutageRow, rememberOutage } from "../crash/reliability.ts";
import { places } from "../worlds/factorio.ts";
import { buildHouse, type House, type Part } from "./house.ts";
import { fewOrdersOf } from "./orders.ts";

/*
 * Runs end while what tells of them is killed, part by part, until all of it is down, and comes back part by part. In
 * `make test` each three parts go down in each of their orders, `make test-crash` goes through all orders.
 */

const lost = ["reset after", "hang after", "slow body"] as const;

/** The messages that tell of each run, by its id. */
function tellingsIn(messages: readonly TakenMessage[]): Map<string, TakenMessage[]> {
  const told = new Map<string, TakenMessage[]>();
  for (const message of messages)
    for (const [id] of message.text.matchAll(/\btest-factorio-\d+-\d+\b/g))
      told.set(id, [...(told.get(id) ?? []), message]);
  return told;
}

let folder: string;
let house: House;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "keepsake-outage-"));
  house = await buildHouse(folder);
});
afterEach(async () => {
  await house.close();
  await rm(folder, { recursive: true, force: true });
});

test("every outcome of 500 runs reaches Telegram, and one comes twice only when its answer was lost", async () => {
  const orders = fewOrdersOf(
    house.parts.map(({ name }) => name),
    killsAtAll ? house.parts.length : 3,
  );
  const points = orders.length * house.parts.length * 2;
  const partOf = (name: string) => house.parts.find((part) => part.name === name) as Part;
  const runs: string[] = [];
  let kills = 0;
  await house.playOn();
  const runOnce = async () => {
    const kind = runs.length % 4;
    if (kind === 0) await house.playOn();
    // What is half written is refused, until the game is played on.
    if (kind === 3) await appendFile(join(places(folder).saves, "_autosave1.zip"), "torn");
    runs.push(await house.run({ operation: "backup", app: "factorio", allow: [] }));
  };
  const runSome = async (point: number) => {
    const until = Math.ceil((500 * (point + 1)) / points);
    while (runs.length < until) await runOnce();
  };

  let point = 0;
  for (const [index, order] of orders.entries()) {
    house.loseAnswer(lost[index % lost.length] as (typeof lost)[number]);
    for (const name of order) {
      await partOf(name).kill();
      kills += 1;
      await house.look();
      await runSome(point++);
    }
    // They come back in the order in which they went, or the other way round.
    for (const name of index % 2 === 0 ? order : order.toReversed()) {
      await partOf(name).revive();
      await house.look();
      await runSome(point++);
    }
  }
  // Long enough for the watch to be sure of it.
  await partOf("the NAS").kill();
  const isSeen = async () => {
    await house.look();
    expect((await house.conditions()).map(({ data }) => data.condition)).toContain("nas:away");
  };
  await vi.waitFor(isSeen, { timeout: 60_000, interval: 500 });
  await partOf("the NAS").revive();
  // What waits on the NAS or on this machine is told by the next run.
  runs.push(await house.run({ operation: "flush", app: "factorio" }));

  const isUntold = () => {
    const told = tellingsIn(house.messages());
    return runs.filter((id) => !told.has(id));
  };
  await vi.waitFor(() => expect(isUntold()).toEqual([]), { timeout: 300_000, interval: 1000 });
  const conditions = await house.conditions();
  const isTold = ({ data }: (typeof conditions)[number]) =>
    house.messages().filter(({ text }) => text.includes(data.condition)).length >=
    conditions.filter((other) => other.data.condition === data.condition).length;
  await vi.waitFor(() => expect(conditions.filter((event) => !isTold(event))).toEqual([]), { timeout: 60_000 });
  const unanswered = house.unanswered();
  const told = tellingsIn(house.messages());
  const tellings = (id: string) => told.get(id) ?? [];
  const again = new Set(runs.flatMap((id) => tellings(id).slice(1)));
  // Each telling but the last one is excused.
  const firsts = runs.filter((id) => tellings(id).length > 1).flatMap((id) => tellings(id).slice(0, -1));
  const torn = house.torn();
  const excused = new Set([...unanswered, ...torn.flat()]);
  expect(firsts.filter((message) => !excused.has(message))).toEqual([]);
  // Notify sends one message at a time.
  expect(again.size).toBeLessThanOrEqual(unanswered.length + torn.length);
  expect(unanswered.length).toBeGreaterThan(0);
  const row: OutageRow = {
    ...{ orders: orders.length, kills, runs: runs.length, messages: house.messages().length },
    ...{ answersLost: unanswered.length, toldTwice: again.size, neverTold: 0 },
  };
  console.log(formatTable([Object.keys(row), Object.values(row).map(String)]).join("\n"));
  if (killsAtAll) await rememberOutage(row);
}, 3_600_000);
