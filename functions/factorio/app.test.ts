import { expect, test } from "vitest";
import { app, Settings } from "./app.ts";

test("app names its files as the incumbent did", () => {
  const [save] = app.artefacts;
  expect(app.artefacts).toHaveLength(1);
  expect(save?.latest).toBe("latest.zip");
  expect(save?.naming.name("20251219-180000")).toBe("factorio-20251219-180000.zip");
  expect(save?.naming.parse("factorio-20251219-180000.zip")?.id).toBe("20251219-180000");
});

test.each([
  "factorio-space-age_linux_2.0.72.tar.xz",
  ".DS_Store",
  "._factorio-20251219-180000.zip",
  "factorio-20251219-180000.zip.part",
  "factorio-20251319-180000.zip",
])("app takes %s for no backup", (name) => {
  expect(app.artefacts[0]?.naming.parse(name)).toBeUndefined();
});

test("Settings are the asker's site when nothing is set", () => {
  expect(Settings.parse({})).toEqual({ saves: "/factorio/saves", saveName: "homelab", warnSeconds: 15 });
  expect(Settings.parse({ rcon: {} }).rcon).toMatchObject({
    port: 27015,
    passwordFile: "/var/openfaas/secrets/factorio-rcon",
  });
});

test.each([
  { savess: "x" },
  { saveName: "_autosave1" },
  { saveName: "../x" },
  { rcon: { saveName: "x\n/quit" } },
  { rcon: { port: 0 } },
])("Settings refuse %j", (settings) => {
  expect(Settings.safeParse(settings).success).toBe(false);
});

test("app loads what does the work", async () => {
  expect(await app.loadBackup()).toHaveProperty("capture");
  expect((await app.loadRestore()).needsStop).toBe(true);
});
