import { expect, test } from "vitest";
import { backup, notifyLab, untilAllTold } from "./notify-lab.ts";

/* Everything that notify leans on goes away and comes back, notify itself included, in any order. */

/** Mulberry32: the same numbers for the same seed. */
function randomOf(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return Math.floor((((t ^ (t >>> 14)) >>> 0) / 2 ** 32) * below);
  };
}

test.each([1, 2, 3, 4])("Notifier loses nothing, and doubles only what may have been lost (order %s)", async (seed) => {
  const random = randomOf(seed);
  const lab = await notifyLab({ chats: { "-100": { type: "supergroup" } } });
  const { nats, telegram } = lab;
  const count = 200;
  let published = 0;
  let lostAnswers = 0;
  let notifier = lab.start();
  const chaos = [
    () => nats.leave(),
    () => nats.comeBack(),
    () => nats.comeBack(),
    () => {
      notifier.die();
      lostAnswers += 1;
      notifier = lab.start();
    },
    async () => {
      await notifier.stop();
      notifier = lab.start();
    },
    () => {
      telegram.faults.push("reset after");
      lostAnswers += 1;
    },
    () => void telegram.faults.push("reset before", 502, "reset before", 500),
    () => {
      nats.losesAcks = !nats.losesAcks;
    },
    () => notifier.nudge(),
  ];
  while (published < count) {
    for (let n = random(20); n >= 0 && published < count; n--, published++) nats.publish(backup(`run-${published}`));
    await chaos[random(chaos.length)]?.();
    const before = telegram.requests.length;
    for (let turn = random(40); turn > 0 && telegram.requests.length < before + 5; turn--)
      await new Promise((resolve) => setTimeout(resolve, 1));
  }
  nats.comeBack();
  nats.losesAcks = false;
  await untilAllTold(lab);

  const told = Map.groupBy(lab.texts(), (text) => /Run (run-\d+)$/.exec(text)?.[1]);
  expect(told.size).toBe(count);
  const again = [...told.values()].flatMap((texts) => texts.slice(1));
  expect(again.length).toBeLessThanOrEqual(lostAnswers);
  expect(again.filter((text) => !text.includes("This may come for the second time"))).toEqual([]);
});
