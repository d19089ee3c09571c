import { expect, test } from "vitest";
import { loadAppTypes } from "../../functions/types.ts";
import { parseConfig } from "../../shared/config.ts";
import { siteOf } from "../manifests/site.ts";
import { checkLook } from "./check-nas.ts";

const text = "cluster: {}\nnasExport: { server: nas, path: /volume }\napps: { sdtd: }\n";
const site = siteOf(parseConfig(text, "/etc/keepsake/keepsake.yaml", await loadAppTypes()), text);
const [app] = site.apps;
if (!app) throw new Error("an app is wanted");
const look = { closed: [], closedCount: 0, partly: false, freeBytes: 412e9 };

test("checkLook() is content with an export that takes everybody for one user", () => {
  expect(checkLook(site, app, { ...look, makes: "1024:100" })).toEqual({
    what: "sdtd: NAS",
    ok: true,
    found: "1000:1000, whom the NAS takes for 1024:100, can write there; 412 GB free",
  });
});

test("checkLook() gives folders to whom the NAS takes the app's user for", () => {
  const closed = ["/mnt/k3s-nfs/sdtd/backups", "/mnt/k3s-nfs/sdtd/world"];
  expect(checkLook(site, app, { ...look, closed, closedCount: 7, makes: "1024:100" })).toMatchObject({
    ok: false,
    found:
      "1000:1000, whom the NAS takes for 1024:100, cannot use /volume/sdtd/backups, /volume/sdtd/world, and 5 others",
    remedy: "On nas, as root: mkdir -p '/volume/sdtd' && chown -R 1024:100 '/volume/sdtd'",
  });
});

test("checkLook() says what is to be thought of where nothing can be written", () => {
  const { remedy } = checkLook(site, app, { ...look, closed: ["/mnt/k3s-nfs/.keepsake"], closedCount: 1 });
  expect(remedy).toContain("root_squash");
});
