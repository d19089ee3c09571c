import { expect, test } from "vitest";
import { conditionEvent, digestEvent } from "../../events/event.ts";
import { backup, failure, notifyLab, until, untilAllTold } from "../../test/notify/notify-lab.ts";

type Lab = Awaited<ReturnType<typeof notifyLab>>;

test("Notifier tells what waits, oldest first, and acknowledges it only after Telegram took it", async () => {
  const lab = await notifyLab();
  lab.telegram.faults.push(502, 502);
  lab.nats.publish(backup("run-1"), backup("run-2"));
  const waiting = whenAsked(lab, () => lab.nats.waiting);
  const notifier = lab.start();
  await untilAllTold(lab);
  expect(lab.telegram.requests).toHaveLength(4);
  expect(waiting).toEqual([2, 1]);
  expect(lab.texts().map((text) => text.split("\n").at(-1))).toEqual(["Run run-1", "Run run-2"]);
  expect(await notifier.state()).toMatchObject({ waiting: 0, lastTold: { title: "Saved: Factorio" } });
});

/** What `look` finds whenever Telegram is about to take a message. */
function whenAsked<T>({ telegram: { api } }: Lab, look: () => T): T[] {
  const found: T[] = [];
  const answer = api.answer.bind(api);
  api.answer = (...args) => {
    found.push(look());
    return answer(...args);
  };
  return found;
}

test("Notifier tells what comes, and what comes twice once", async () => {
  const lab = await notifyLab();
  lab.start();
  lab.nats.publish(backup("run-1"));
  await untilAllTold(lab);
  lab.nats.publish(backup("run-1"), backup("run-2"), backup("run-2"));
  await untilAllTold(lab);
  expect(lab.texts()).toHaveLength(2);
});

test("Notifier rests when nothing waits, and the last message is so old that no pace depends on it", async () => {
  const lab = await notifyLab();
  const notifier = lab.start();
  expect(notifier.isAtRest()).toBe(false);
  await until(() => expect(notifier.isAtRest()).toBe(true));
  lab.telegram.faults.push(502);
  lab.nats.publish(backup("run-1"));
  const resting = whenAsked(lab, () => notifier.isAtRest());
  await untilAllTold(lab);
  expect(new Set([...resting, notifier.isAtRest()])).toEqual(new Set([false]));
  lab.clock.pass(70_000);
  expect(notifier.isAtRest()).toBe(true);
});

test("Notifier keeps the pace of a group: no flood, and nothing is lost", async () => {
  const lab = await notifyLab({ chats: { "-100": { type: "supergroup" } } });
  for (let n = 0; n < 150; n++) lab.nats.publish(backup(`run-${n}`));
  const notifier = lab.start();
  const waiting = whenAsked(lab, () => notifier.state());
  await untilAllTold(lab);
  expect((await waiting[9])?.waiting).toBeGreaterThan(100);
  expect((await notifier.state()).waiting).toBe(0);
  expect(lab.texts().map((text) => text.split("\n").at(-1))).toEqual(Array.from({ length: 150 }, (_, n) => `Run run-${n}`));
  expect(lab.telegram.api.flooded).toBe(0);
}); // biome-ignore format: one line reads better

test("Notifier waits as long as Telegram asks it to, also when it is nudged", async () => {
  const lab = await notifyLab({ chats: { "-100": { type: "supergroup" } } });
  const api = lab.telegram.api;
  const answer = api.answer.bind(api);
  let asked = 0;
  api.answer = (...args) => {
    asked += 1;
    const body = { ok: false, error_code: 429, description: "Too Many Requests: retry after 33", parameters: { retry_after: 33 } };
    return asked === 1 ? { status: 429, body } : answer(...args);
  }; // biome-ignore format: one line reads better
  const before = lab.clock.now();
  lab.nats.publish(backup("run-1"));
  const notifier = lab.start();
  const nudging = setInterval(() => notifier.nudge(), 1);
  await untilAllTold(lab);
  clearInterval(nudging);
  expect(asked).toBe(2);
  expect(api.messages[0]?.at).toBeGreaterThanOrEqual(before + 33_000);
});

test("Notifier that is killed between Telegram's answer and the acknowledgement tells nothing twice", async () => {
  const lab = await notifyLab();
  lab.nats.losesAcks = true;
  lab.nats.publish(backup("run-1"));
  const first = lab.start();
  await until(() => expect([...lab.nats.kept.values()].join()).toMatch(/"telegram run-1.outcome","1"/));
  first.die();
  lab.nats.losesAcks = false;
  lab.start();
  await untilAllTold(lab);
  expect(lab.texts()).toHaveLength(1);
});

test("Notifier that is killed before Telegram's answer tells it once more, and says so", async () => {
  const lab = await notifyLab();
  lab.telegram.faults.push("hang after");
  lab.nats.publish(backup("run-1"));
  const first = lab.start();
  await until(() => expect(lab.texts()).toHaveLength(1));
  first.die();
  lab.clock.pass(60_000);
  lab.start();
  await untilAllTold(lab);
  expect(lab.texts()).toHaveLength(2);
  expect(lab.texts()[0]).not.toContain("second time");
  expect(lab.texts()[1]).toMatch(/\nThis may come for the second time: .*\nRun run-1$/);
});

test.each(["reset after", "hang after"] as const)("Notifier tells it once more, marked, after %s", async (fault) => {
  const lab = await notifyLab();
  lab.telegram.faults.push(fault);
  lab.nats.publish(backup("run-1"), backup("run-2"));
  lab.start({}, fault === "hang after" ? 300 : 5000);
  await untilAllTold(lab);
  const again = lab.texts().filter((text) => text.includes("second time"));
  expect(again).toEqual([expect.stringContaining("Run run-1")]);
  expect(lab.texts()).toHaveLength(3);
});

test.each(["hang", "reset before", "slow body"] as const)("Notifier gets over %s with one message", async (fault) => {
  const lab = await notifyLab();
  lab.telegram.faults.push(fault);
  lab.nats.publish(backup("run-1"));
  lab.start({}, 300);
  await untilAllTold(lab);
  expect(lab.texts()).toHaveLength(1);
});

test("Notifier follows a group that was upgraded, also after a restart", async () => {
  const lab = await notifyLab({ chats: { "-7": { type: "group", migratedTo: "-1007" }, "-1007": { type: "supergroup" } } });
  lab.nats.publish(backup("run-1"));
  const first = lab.start();
  await untilAllTold(lab);
  await first.stop();
  lab.nats.publish(backup("run-2"));
  lab.start();
  await untilAllTold(lab);
  expect(lab.telegram.api.messages.map(({ chat }) => chat)).toEqual(["-1007", "-1007"]);
  expect(lab.telegram.requests.map(({ given }) => given.chat_id)).toEqual(["-7", "-1007", "-1007"]);
}); // biome-ignore format: one line reads better

test("Notifier leaves a topic that is gone", async () => {
  const lab = await notifyLab({ chats: { "-1007": { type: "supergroup", threads: [3] } }, settings: { apps: { factorio: { topic: 9 } } } });
  lab.nats.publish(backup("run-1"));
  lab.start();
  await untilAllTold(lab);
  expect(lab.texts()[0]).toContain("The topic that this was meant for is gone");
}); // biome-ignore format: one line reads better

test.each([
  ["401", (lab: Lab) => Object.assign(lab.secrets, { "telegram-bot-token": "123456:planted-other-token" })],
  ["403", (lab: Lab) => Object.assign(lab.telegram.api.chats["7"] as object, { blocked: true })],
  ["chat not found", (lab: Lab) => Object.assign(lab.secrets, { "telegram-chat-id": "8" })],
  ["no bot token", (lab: Lab) => Object.assign(lab.secrets, { "telegram-bot-token": undefined })],
])("Notifier keeps what Telegram refuses with %s until that is mended", async (why, breakIt) => {
  const lab = await notifyLab();
  breakIt(lab);
  const notifier = lab.start();
  lab.nats.publish(backup("run-1"), backup("run-2"));
  await until(async () => expect((await notifier.state()).main[0]?.refusal?.failures).toBeGreaterThan(2));
  const { waiting, main } = await notifier.state();
  expect(waiting).toBe(2);
  expect(main[0]?.refusal).toMatchObject({ isPermanent: true, why: expect.stringContaining(why), hint: expect.any(String) });
  expect(JSON.stringify(main)).not.toMatch(/planted/);
  Object.assign(lab.secrets, { "telegram-bot-token": lab.telegram.api.token, "telegram-chat-id": "7" });
  Object.assign(lab.telegram.api.chats["7"] as object, { blocked: false });
  await untilAllTold(lab);
  expect(lab.texts()).toHaveLength(2);
  expect((await notifier.state()).main[0]?.refusal).toBeUndefined();
}); // biome-ignore format: one line reads better
test("Notifier does not keep one chat's events from the others", async () => {
  const lab = await notifyLab({
    chats: { "7": { type: "private" }, "8": { type: "private", blocked: true } },
    settings: { apps: { sdtd: { chat: 8 } } },
  });
  for (let n = 0; n < 100; n++) lab.nats.publish(backup(`lost-${n}`, {}, "sdtd"));
  lab.nats.publish(backup("run-1"));
  const notifier = lab.start();
  await until(() => expect(lab.texts()).toHaveLength(1));
  expect((await notifier.state()).waiting).toBeGreaterThan(0);
  Object.assign(lab.telegram.api.chats["8"] as object, { blocked: false });
  await untilAllTold(lab);
  expect(lab.texts()).toHaveLength(101);
});

test("Notifier puts aside what cannot be read, tells that, and goes on", async () => {
  const lab = await notifyLab();
  const raw = Buffer.from('{"specversion":"1.0","type":"keepsake.backups.moved.v2"}');
  lab.nats.publishUnreadable({ raw, subject: "backups.moved", why: "no event that this version knows" });
  lab.nats.publish(backup("run-1"));
  const notifier = lab.start();
  await untilAllTold(lab);
  expect(lab.texts()[0]).toMatch(
    /^⚠️ 1 event could not be told, and was put aside\n• backups\.moved: no event that this version knows \(unreadable-/,
  );
  expect(lab.texts()[1]).toContain("Run run-1");
  expect(await notifier.parked()).toMatchObject([{ subject: "backups.moved", raw: raw.toString() }]);
});

test("Notifier puts aside what Telegram takes in no form, and tells it once it can", async () => {
  const lab = await notifyLab();
  const api = lab.telegram.api;
  const answer = api.answer.bind(api);
  let isOld = true;
  api.answer = (as, method, given) =>
    isOld && String(given.text).includes("run-1</code>")
      ? { status: 400, body: { ok: false, error_code: 400, description: "Bad Request: MESSAGE_ODD" } }
      : answer(as, method, given);
  lab.nats.publish(backup("run-1"), backup("run-2"));
  const notifier = lab.start();
  await untilAllTold(lab);
  expect(lab.titles()).toEqual(["⚠️ 1 event could not be told, and was put aside", "✅ Saved: Factorio"]);
  expect(lab.texts()[0]).toContain("• backups.completed: Telegram answered 400 Bad Request: MESSAGE_ODD (run-1.outcome)");
  expect(await notifier.retryParked()).toBe(1);
  await until(() => expect(lab.titles()).toHaveLength(3));
  await until(async () => expect((await notifier.state()).waiting).toBe(0));
  expect(await notifier.parked()).toMatchObject([{ id: "run-1.outcome" }]);
  isOld = false;
  expect(await notifier.retryParked()).toBe(1);
  await until(() => expect(lab.texts().at(-1)).toContain("Run run-1"));
  await until(async () => expect(await notifier.parked()).toEqual([]));
  expect(await notifier.retryParked()).toBe(0);
}); // biome-ignore format: one line reads better

test("Notifier folds failures of one cause into one message", async () => {
  const lab = await notifyLab();
  lab.start();
  for (const app of ["box", "crate", "jar"]) lab.nats.publish(backup(`run-${app}`, failure("nas_unreachable"), app));
  lab.nats.publish(backup("run-own", failure("source_unreachable")));
  await untilAllTold(lab);
  expect(lab.titles().toSorted()).toEqual([
    "❌ Failed: backup of 3 apps, for one reason",
    "❌ Failed: backup of Factorio",
  ].toSorted());
}); // biome-ignore format: one line reads better

test("Notifier sends what changed nothing without a sound, and leaves out what nobody wants", async () => {
  const lab = await notifyLab({ settings: { send: { pinned: "off" } } });
  lab.nats.publish(backup("1"), backup("2", { outcome: "unchanged" }), backup("3", { outcome: "pinned" }));
  lab.start();
  await untilAllTold(lab);
  expect(lab.telegram.api.messages.map(({ silent }) => silent)).toEqual([false, true]);
});

test("Notifier leaves to the digest what is told there only", async () => {
  const lab = await notifyLab({ settings: { send: { unchanged: "digest", postponed: "digest" } } });
  lab.nats.publish(backup("1", { outcome: "unchanged" }), backup("2", { outcome: "unchanged" }));
  lab.nats.publish(backup("3", { outcome: "postponed" }));
  lab.start();
  await untilAllTold(lab);
  expect(lab.texts()).toEqual([]);
  const time = "2025-12-20T07:00:00Z";
  const message = "All 6 apps are saved";
  const digest = (day: string) => digestEvent({ condition: "digest", message, severity: "info", since: time }, { day, time });
  lab.nats.publish(digest("2025-12-20"));
  await untilAllTold(lab);
  lab.nats.publish(digest("2025-12-21"));
  await untilAllTold(lab);
  const line = "• Unchanged: Factorio, 2 times, last on 19 Dec 2025, 18:00\n• Put off: Factorio, on 19 Dec 2025, 18:00";
  expect(lab.texts()).toEqual([`✅ ${message}\nAlso:\n${line}`, `✅ ${message}`]);
}); // biome-ignore format: one line reads better

test("Notifier goes on where it was when NATS comes back, and tells nothing twice", async () => {
  const lab = await notifyLab({ chats: { "-100": { type: "supergroup" } } });
  for (let n = 0; n < 60; n++) lab.nats.publish(backup(`run-${n}`));
  const notifier = lab.start();
  await until(() => expect(lab.texts().length).toBeGreaterThan(5));
  lab.nats.leave();
  await until(async () => expect((await notifier.state()).away).toBe("NATS is away"));
  lab.nats.comeBack();
  await untilAllTold(lab);
  expect(new Set(lab.texts()).size).toBe(60);
  expect(lab.texts()).toHaveLength(60);
  expect((await notifier.state()).away).toBeUndefined();
});

test("Notifier tells what is handed in while NATS is away, once, also when it comes out of NATS later", async () => {
  const lab = await notifyLab();
  lab.nats.leave();
  const notifier = lab.start();
  const away = conditionEvent(
    "backups.raised",
    { condition: "nats:away", message: "NATS does not answer", severity: "problem", since: "2025-12-19T16:00:00Z" },
    { time: "2025-12-19T17:00:00Z" },
  );
  lab.telegram.faults.push(502);
  expect(await notifier.handIn(away, 30_000)).toBe("told");
  expect(await notifier.handIn(away, 30_000)).toBe("told");
  lab.nats.publish(away, backup("run-1"));
  lab.nats.comeBack();
  await untilAllTold(lab);
  expect(lab.titles()).toEqual(["❌ NATS does not answer", "✅ Saved: Factorio"]);
  await notifier.stop();
  lab.nats.publish(away);
  lab.start();
  await untilAllTold(lab);
  expect(lab.texts()).toHaveLength(2);
});

test("Notifier says that what is handed in waits when nobody takes it, and keeps it", async () => {
  const lab = await notifyLab();
  lab.nats.leave();
  const notifier = lab.start();
  Object.assign(lab.telegram.api.chats["7"] as object, { blocked: true });
  expect(await notifier.handIn(backup("run-1"), 20_000)).toBe("waiting");
  Object.assign(lab.telegram.api.chats["7"] as object, { blocked: false });
  await until(() => expect(lab.texts()).toHaveLength(1));
});

test("Notifier that is stopped gives back what it holds", async () => {
  const lab = await notifyLab();
  Object.assign(lab.telegram.api.chats["7"] as object, { blocked: true });
  const first = lab.start();
  lab.nats.publish(backup("run-1"));
  await until(() => expect(lab.telegram.requests).not.toHaveLength(0));
  await first.stop();
  expect(lab.nats.waiting).toBe(1);
  Object.assign(lab.telegram.api.chats["7"] as object, { blocked: false });
  lab.start();
  await untilAllTold(lab);
  expect(lab.texts()).toHaveLength(1);
});

test("Notifier with no channel tells the log, and keeps nothing", async () => {
  const lab = await notifyLab({ settings: { telegram: undefined } });
  lab.secrets["telegram-bot-token"] = undefined;
  const notifier = lab.start();
  lab.nats.publish(backup("run-1"));
  await untilAllTold(lab);
  expect(await notifier.state()).toMatchObject({ main: [], waiting: 0 });
  expect(await notifier.handIn(backup("run-2"), 0)).toBe("logged");
});
