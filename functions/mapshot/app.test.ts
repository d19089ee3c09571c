import { expect, test } from "vitest";
import { app, Settings } from "./app.ts";

test("Settings are the asker's site when nothing is set", () => {
  expect(Settings.parse({})).toEqual({
    renders: "/mapshot/factorio/script-output/mapshot/latest",
    factorio: "factorio",
    emptyTiles: "rendered",
  });
  expect(Settings.parse({ render: { command: "mapshot render" } }).render).toEqual({
    command: "mapshot render",
    timeoutHours: 12,
    graceSeconds: 60,
  });
});

test.each([
  { rendrs: "x" },
  { render: {} },
  { render: { command: "" } },
  { render: { command: "x", timeoutHours: 0 } },
  { renders: "/maps/-rf" },
  { renders: "/" },
  { factorio: "../factorio" },
  { emptyTiles: true },
])("Settings refuse %j", (settings) => {
  expect(Settings.safeParse(settings).success).toBe(false);
});

test("app is a mirror that follows the newest render, called render, with a cleanup", async () => {
  expect(app).toMatchObject({
    verb: "render",
    cleans: true,
    announces: "mapshot.rendered",
    mirror: { folder: ".", anchor: "index.html" },
  });
  expect(await app.loadBackup()).toHaveProperty("cleanup");
  expect((await app.loadRestore()).needsStop).toBe(false);
  expect(app.place?.(Settings.parse({ renders: "/maps/latest/" }))).toBe("/maps/latest");
});
