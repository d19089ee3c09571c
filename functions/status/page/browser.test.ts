import axe from "axe-core";
import { afterAll, beforeEach, expect, test } from "vitest";
import type { StatusView } from "../view.ts";
import { serveSite, startBrowser, type Visit, visit } from "./browser.ts";
import { condition, nowMs, runs, scenes, view } from "./testing.ts";

const site = await serveSite(nowMs);
const browser = await startBrowser();
/** One for most of the tests: what a browser does at the start is paid for once. */
const tab = await visit(browser);
afterAll(async () => {
  await browser.close();
  await site.close();
});
beforeEach(() => {
  site.view = view();
  site.nowMs = nowMs;
});

const desktop = { width: 1280, height: 900 };
const phone = { width: 390, height: 844 };

/** Nothing but its own address was asked for, and nothing was complained about. */
function expectQuiet({ requests, complaints }: Visit) {
  expect(complaints).toEqual([]);
  expect(requests.length).toBeGreaterThan(0);
  expect(requests.filter((url) => !url.startsWith(site.url) && !url.startsWith("data:image/svg+xml,"))).toEqual([]);
}

/** Without what is on the page more than once: axe would look at it again and again. */
const brief = ({ apps, runs, ...rest }: StatusView): StatusView => ({
  ...rest,
  apps: onceEach(apps, ({ state, title }) => `${state}, ${title.length > 40}`).map((app) => ({
    ...app,
    points: onceEach(app.points, ({ latest, pinned, damaged, proven, scrubbedAt }) =>
      [latest, pinned, damaged, !proven, !scrubbedAt].join(),
    ),
  })),
  runs: onceEach(runs, ({ outcome }) => outcome),
});

const onceEach = <T>(items: readonly T[], kindOf: (item: T) => string) => [
  ...new Map(items.toReversed().map((item) => [kindOf(item), item])).values(),
];

/** What depends on the size and the colours; the rest of axe's rules looks at the markup. */
const looks = ["color-contrast", "target-size", "scrollable-region-focusable", "link-in-text-block"];

const violations = (rules?: string[]) =>
  tab.page.evaluate(
    async (options) => {
      const { violations } = await (window as unknown as { axe: typeof axe }).axe.run(options);
      return violations.map(({ id, nodes }) => [id, ...nodes.map(({ html }) => html)].join("\n"));
    },
    { resultTypes: ["violations" as const], ...(rules && { runOnly: rules }) },
  );

test.each(Object.keys(scenes))("statusPage() is accessible, fits, and asks for nothing else: %s", async (name) => {
  const { page } = tab;
  site.view = brief(scenes[name]!());
  await page.goto(site.url);
  expect(await page.locator(".verdict p").textContent()).toBe(site.view.overall.sentence);
  await page.locator("details").evaluateAll((all) => {
    for (const each of all) each.setAttribute("open", "");
  });
  await page.evaluate(axe.source);
  const looked = async (viewport: typeof phone, colorScheme: "light" | "dark", rules?: string[]) => {
    await page.setViewportSize(viewport);
    await page.emulateMedia({ colorScheme });
    expect(await violations(rules), `${viewport.width}, ${colorScheme}`).toEqual([]);
    expect(await page.evaluate(cutOff), `${viewport.width}, ${colorScheme}`).toEqual([]);
  };
  await looked(desktop, "light");
  await looked(desktop, "dark", looks);
  await looked(phone, "light", looks);
  await looked(phone, "dark", looks);
  expectQuiet(tab);
});

/** In the browser: what is wider than the window, or than the box that would hide the rest of it. */
function cutOff(): string[] {
  const all = [...document.querySelectorAll<HTMLElement>("main, main *")];
  const room = document.documentElement.clientWidth + 1;
  return all
    .filter((each) => {
      const hides = getComputedStyle(each).overflowX !== "visible" && each.scrollWidth > each.clientWidth + 1;
      return hides || each.getBoundingClientRect().right > room;
    })
    .map((each) => each.outerHTML.slice(0, 120));
}

test("statusPage() answers on the first screen: whether all is safe, and what each app is", async () => {
  for (const [viewport, scene] of [
    [desktop, "failed"],
    [phone, "all well"],
  ] as const) {
    site.view = scenes[scene]!();
    await tab.page.setViewportSize(viewport);
    await tab.page.goto(site.url);
    for (const part of [".verdict", ".overview li:last-child"]) {
      const box = await tab.page.locator(part).boundingBox();
      expect((box?.y ?? Infinity) + (box?.height ?? 0), part).toBeLessThanOrEqual(viewport.height);
    }
  }
});

test("statusPage() shows a problem's command above the apps, and the way to each app's card", async () => {
  site.view = scenes.failed!();
  await tab.page.setViewportSize(desktop);
  await tab.page.goto(site.url);
  const mends = tab.page.locator(".problems code").first();
  expect(await mends.textContent()).toBe("make backup-postgresql");
  const below = (await tab.page.locator(".app").first().boundingBox())?.y ?? 0;
  expect((await mends.boundingBox())?.y).toBeLessThan(below);
  await tab.page.locator("nav a", { hasText: "PostgreSQL" }).click();
  await expect
    .poll(() => tab.page.locator("#app-postgresql").evaluate((e) => e.getBoundingClientRect().top))
    .toBeLessThan(60);
});

test("statusPage() holds a thousand runs, words without end, and nothing at all", async () => {
  const endless = "a".repeat(400);
  for (const of of [
    view({ runs: runs(1000, ["factorio"]).map((run) => ({ ...run, message: endless })) }),
    view({
      conditions: [condition({ id: "x", message: endless, hint: `make ${endless}` })],
      apps: [{ ...view().apps[0]!, title: endless, sentence: endless }],
    }),
    view({ apps: [], runs: [] }),
  ])
    for (const viewport of [desktop, phone]) {
      site.view = of;
      await tab.page.setViewportSize(viewport);
      await tab.page.goto(site.url);
      expect(await tab.page.evaluate(cutOff), `${viewport.width}`).toEqual([]);
    }
});

test("statusPage() works without JavaScript: everything but the copy buttons", async () => {
  const plain = await visit(browser, { javaScriptEnabled: false });
  site.view = scenes.failed!();
  await plain.page.goto(site.url);
  expect(await plain.page.locator(".verdict").isVisible()).toBe(true);
  expect(await plain.page.locator(".copy:visible").count()).toBe(0);
  const point = plain.page.locator("#points-postgresql .timeline code").first();
  expect(await point.isVisible()).toBe(false);
  await plain.page.locator("#points-postgresql summary").click();
  expect(await point.isVisible()).toBe(true);
  expect(await plain.page.locator("#stale").isVisible()).toBe(false);
  expectQuiet(plain);
  await plain.close();
});

test.each([
  ["over HTTPS or on this machine", false],
  ["over plain HTTP from another machine", true],
])("the copy buttons copy the command: %s", async (_, remote) => {
  const other = await visit(browser, { permissions: remote ? [] : ["clipboard-read", "clipboard-write"] });
  const { page } = other;
  await page.goto(remote ? site.remoteUrl : site.url);
  expect(await page.evaluate(() => isSecureContext)).toBe(!remote);
  const button = page.locator("#app-factorio .back .copy");
  await button.click();
  await expect.poll(() => button.textContent()).toBe("Copied");
  expect(await button.evaluate((each) => each === document.activeElement)).toBe(true);
  await page.evaluate(() => document.body.append(Object.assign(document.createElement("textarea"), { id: "paste" })));
  await page.locator("#paste").focus();
  await page.keyboard.press("ControlOrMeta+V");
  expect(await page.locator("#paste").inputValue()).toBe(view().apps[1]?.points[0]?.restore);
  expect(other.complaints).toEqual([]);
  await other.close();
});

test("the page keeps itself up to date while something runs, with what was opened left open, and what is marked left alone", async () => {
  const live = await visit(browser);
  const { page } = live;
  await page.clock.install({ time: nowMs });
  site.view = scenes.running!();
  await page.goto(site.url);
  const progress = page.locator("#app-sdtd progress");
  expect(await progress.getAttribute("value")).toBe("0.6214");
  await page.locator("#points-factorio summary").click();
  await page.evaluate(() => scrollTo(0, 500));

  const { apps, ...rest } = scenes.running!();
  const [sdtd, ...others] = apps;
  site.view = {
    ...rest,
    apps: [{ ...sdtd!, running: { ...sdtd!.running!, phase: "verifying", doneBytes: 1.3e9 } }, ...others],
  };
  await page.clock.runFor(3000);
  await expect.poll(() => progress.getAttribute("value")).toBe("0.9286");
  expect(await page.locator(".running").first().textContent()).toContain("verifying");
  expect(await page.locator("#points-factorio").getAttribute("open")).toBe("");
  expect(await page.evaluate(() => document.activeElement?.parentElement?.id)).toBe("points-factorio");
  expect(await page.evaluate(() => scrollY)).toBe(500);
  expect(await page.locator(".copy:visible").count()).toBeGreaterThan(5);

  site.view = view();
  await page.locator("#app-factorio h3").selectText();
  const before = live.requests.length;
  await page.clock.runFor(9000);
  expect(live.requests.length).toBe(before);
  await page.evaluate(() => getSelection()?.removeAllRanges());
  await page.clock.runFor(3000);
  await expect.poll(() => progress.count()).toBe(0);
  const asked = live.requests.length;
  await page.clock.runFor(29_000);
  expect(live.requests.length).toBe(asked);
  expectQuiet(live);
  await live.close();
});

test("the page says when it cannot be brought up to date, keeps what it shows, and tries again", async () => {
  const live = await visit(browser);
  const { page } = live;
  await page.clock.install({ time: nowMs });
  await page.goto(site.url);
  const stale = page.locator("#stale");
  expect(await stale.isVisible()).toBe(false);
  site.view = undefined;
  await page.clock.runFor(30_000);
  await expect.poll(() => stale.isVisible()).toBe(true);
  expect(await page.locator(".verdict p").textContent()).toBe(view().overall.sentence);
  site.view = scenes.failed!();
  await page.clock.runFor(30_000);
  await expect.poll(() => stale.isVisible()).toBe(false);
  expect(await page.title()).toBe("Not safe · Keepsake");
  await live.close();
});
