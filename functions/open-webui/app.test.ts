import { expect, test } from "vitest";
import { app, Settings } from "./app.ts";

test("Settings have the image's folder and file as defaults, and take no path for a file", () => {
  expect(Settings.parse({})).toEqual({
    ...{ data: "/app/backend/data", database: "webui.db", uploads: false, network: "auto", busyTimeoutSeconds: 30 },
  });
  for (const database of ["../webui.db", "a/b.db", ".webui.db", ""])
    expect(Settings.safeParse({ database }).success).toBe(false);
  expect(Settings.safeParse({ busyTimeoutSeconds: 1 }).success).toBe(false);
  expect(Settings.safeParse({ scratch: "/tmp" }).success).toBe(false);
});

test("app.place is the same for the same database, however it is written", () => {
  const place = (settings: object) => app.place?.(Settings.parse(settings));
  expect(place({ data: "/srv/webui/" })).toBe(place({ data: "/srv/x/../webui" }));
  expect(place({ data: "/srv/webui" })).not.toBe(place({ data: "/srv/webui", database: "other.db" }));
});

test("app.artefacts have the incumbent's names", () => {
  const names = app.artefacts.map(({ latest, naming }) => [latest, naming.name("20251219-040000")]);
  expect(names).toEqual([
    ["latest.db", "webui_20251219_040000.db"],
    ["latest-uploads.tar.gz", "webui-uploads_20251219_040000.tar.gz"],
  ]);
  for (const { naming } of app.artefacts) {
    const others = app.artefacts.filter((other) => other.naming !== naming);
    for (const other of others) expect(naming.parse(other.naming.name("20251219-040000"))).toBeUndefined();
  }
});
