import { expect, test } from "vitest";
import { Failure } from "../../shared/failures.ts";
import { routeOf } from "./route.ts";
import { readSettings } from "./settings.ts";

const apps = ["sdtd", "factorio"];
const read = (given: unknown) => readSettings(given, apps);

test("readSettings() needs nothing: secrets have names, everything is sent", () => {
  expect(read(undefined)).toEqual({ send: {}, apps: {}, otherChannelsAfterMinutes: 10 });
  expect(read({ telegram: {} }).telegram).toEqual({
    tokenSecret: "telegram-bot-token",
    chatSecret: "telegram-chat-id",
    apiBase: "https://api.telegram.org",
    timeoutSeconds: 15,
  });
});

test("readSettings() names every mistake at once, by its path", () => {
  const mistakes = {
    telegram: { chat: "my chat", topic: 0, token: "123:abc" },
    send: { unchanged: "silent", finished: "loud" },
    apps: { factorio: { send: { failed: { how: "loud", chatt: 1 } } } },
    webhook: { urlSecret: "https://example.org/secret" },
    ntfy: { url: "ntfy.sh" },
    ping: { url: "https://hc-ping.com/1" },
    loud: true,
  };
  const told = () => read(mistakes);
  expect(told).toThrow(Failure);
  const message = (() => {
    try {
      return String(told());
    } catch (error) {
      return (error as Error).message;
    }
  })();
  const paths = message.split("\n").slice(1).map((line) => line.trim().split(": ")[0]); // biome-ignore format: one line
  expect(paths.toSorted()).toEqual([
    "notify.apps.factorio.send.failed.chatt",
    "notify.loud",
    "notify.ntfy.url",
    "notify.ping.url",
    "notify.send.finished",
    "notify.send.unchanged",
    "notify.telegram.chat",
    "notify.telegram.token",
    "notify.telegram.topic",
    "notify.webhook.urlSecret",
  ]);
});

test("readSettings() knows which apps there are", () => {
  expect(() => read({ apps: { doom: {} }, ping: { apps: { quake: "x" } } })).toThrow(
    /notify\.apps\.doom: one of sdtd, factorio.*\n {2}notify\.ping\.apps\.quake: one of sdtd, factorio/,
  );
});

test("routeOf() sends everything, what changed nothing without a sound", () => {
  const settings = read({});
  expect(routeOf(settings, "created", "sdtd")).toEqual({ how: "loud" });
  expect(routeOf(settings, "failed", "sdtd")).toEqual({ how: "loud" });
  expect(routeOf(settings, "unchanged", "sdtd")).toEqual({ how: "quiet" });
  expect(routeOf(settings, "postponed", "sdtd")).toEqual({ how: "quiet" });
  expect(routeOf(settings, "late")).toEqual({ how: "loud" });
  expect(routeOf(settings, "of a later version", "sdtd")).toEqual({ how: "loud" });
});

test("routeOf() takes the nearest rule, and a topic together with its chat", () => {
  const settings = read({
    telegram: { chat: -100, topic: 1 },
    send: { created: "quiet", failed: { chat: "@alarms" }, unchanged: "digest" },
    apps: { factorio: { topic: 5, send: { unchanged: "off", failed: { how: "quiet" } } } },
  });
  expect(routeOf(settings, "restored", "sdtd")).toEqual({ how: "loud", chat: "-100", topic: 1 });
  expect(routeOf(settings, "created", "sdtd")).toEqual({ how: "quiet", chat: "-100", topic: 1 });
  expect(routeOf(settings, "failed", "sdtd")).toEqual({ how: "loud", chat: "@alarms" });
  expect(routeOf(settings, "unchanged", "sdtd").how).toBe("digest");
  expect(routeOf(settings, "unchanged", "factorio").how).toBe("off");
  expect(routeOf(settings, "restored", "factorio")).toEqual({ how: "loud", chat: "-100", topic: 5 });
});

test("routeOf() never takes a topic for one of another rule's chat", () => {
  const settings = read({
    send: { failed: { chat: "@alarms" } },
    apps: { factorio: { topic: 5 }, sdtd: { chat: -200, send: { failed: { topic: 9 } } } },
  });
  expect(routeOf(settings, "failed", "factorio")).toEqual({ how: "loud", topic: 5 });
  expect(routeOf(settings, "failed", "sdtd")).toEqual({ how: "loud", chat: "-200", topic: 9 });
});
