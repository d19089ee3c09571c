import { mkdir, writeFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { expect, test } from "vitest";
import { loadConfig, parseConfig } from "./config.ts";
import { boxType, tempFolder } from "./testing.ts";

const path = "/srv/keepsake/keepsake.yaml";
const box = { ...boxType, place: ({ folder }: { folder: string }) => resolve(folder) };
const crate = { ...boxType, type: "crate", title: "Crate", keep: 7 };
const parse = (text: string) => parseConfig(text, path, [box, crate]);

/** The mistakes that a refusal names, one a line. */
function mistakes(text: string): string[] {
  try {
    parse(text);
    return [];
  } catch (error) {
    expect(error).toMatchObject({ code: "invalid_config", message: expect.stringContaining(path) });
    return (error as Error).message
      .split("\n")
      .slice(1)
      .map((line) => line.trim());
  }
}

test("parseConfig() without a word is the asker's site, with one app of each type", () => {
  for (const text of ["", "# nothing yet\n", "{}"]) {
    const config = parse(text);
    expect(config).toMatchObject({
      path,
      nas: "/mnt/k3s-nfs",
      nasExport: {
        server: "10.20.10.20",
        path: "/volume/567898ba-8471-4adb-9be9-d3e1f96fa7ba/.srv/.unifi-drive/K3sStorage/.data",
      },
      nasFileMode: 0o644,
      nasDirMode: 0o755,
      nasTimeoutMs: 5000,
      state: "/var/lib/keepsake",
      secrets: "/var/openfaas/secrets",
      timeZone: Intl.DateTimeFormat().resolvedOptions().timeZone,
    });
    expect(config.nasOwner).toBeUndefined();
    expect(config.apps.map(({ name, keep, settings }) => [name, keep, settings])).toEqual([
      ["box", 5, { folder: "/srv/box", size: 1 }],
      ["crate", 7, { folder: "/srv/box", size: 1 }],
    ]);
    expect(config.apps[0]?.common).toMatchObject({
      keepDaily: 0,
      keepWeekly: 0,
      keepMonthly: 0,
      smallerThanPercent: 50,
      keepReplacedDays: 7,
    });
  }
});

test("parseConfig() takes a second app of a type in four lines, and only the apps that are listed", () => {
  const { apps } = parse("apps:\n  box:\n  second-box:\n    type: box\n    folder: /srv/second\n    keep: 9\n");
  expect(apps.map(({ name, type, keep, settings }) => [name, type.type, keep, settings])).toEqual([
    ["box", "box", 5, { folder: "/srv/box", size: 1 }],
    ["second-box", "box", 9, { folder: "/srv/second", size: 1 }],
  ]);
});

test("parseConfig() reads owner and modes as they are written, and takes paths from beside the file", () => {
  const config = parse(`
nas: ../nas
state: ./state
secrets: secrets
nasOwner: "1000:100"
nasFileMode: "0664"
nasDirMode: "775"
nasTimeoutSeconds: 0.5
timeZone: Europe/Berlin
apps: { box: { folder: ./data, workload: { stop: a, start: b, status: c } } }`);
  expect(config).toMatchObject({
    nas: "/srv/nas", state: "/srv/keepsake/state", secrets: "/srv/keepsake/secrets", nasOwner: { uid: 1000, gid: 100 },
    nasFileMode: 0o664, nasDirMode: 0o775, nasTimeoutMs: 500, timeZone: "Europe/Berlin",
  }); // biome-ignore format: a table
  expect(config.apps[0]).toMatchObject({
    settings: { folder: "/srv/keepsake/data" },
    common: { workload: { stop: "a", timeoutSeconds: 120 } },
  });
});

const crateOnCluster = {
  ...crate,
  kubernetes: {
    namespace: "crates",
    claim: "crates-data",
    workload: { name: "crate" },
    user: "845:845",
    companion: { image: "tool:1", memory: "1Gi" },
  },
};

test("parseConfig() knows where an app is on a cluster: what its settings say, else what its type says", () => {
  const { cluster, apps } = parseConfig(
    `
cluster: { image: example.org/keepsake:2 }
apps:
  crate: { folder: /srv/crate }
  crate-two:
    type: crate
    folder: /srv/crate
    kubernetes: { claim: other, user: "1000:100", workload: { kind: StatefulSet, selector: app=crate }, companion: { memory: 2Gi } }
`,
    path,
    [crateOnCluster],
  );
  expect(cluster).toMatchObject({ image: "example.org/keepsake:2", functionNamespace: "openfaas-fn" });
  expect(apps.map(({ kubernetes }) => kubernetes)).toEqual([
    {
      namespace: "crates",
      claim: "crates-data",
      workload: { kind: "Deployment", name: "crate" },
      user: { uid: 845, gid: 845 },
      companion: { image: "tool:1", memory: "1Gi" },
    },
    {
      namespace: "crates",
      claim: "other",
      workload: { kind: "StatefulSet", selector: "app=crate" },
      user: { uid: 1000, gid: 100 },
      companion: { image: "tool:1", memory: "2Gi" },
    },
  ]);
  expect(parse("").cluster).toBeUndefined();
});

test("parseConfig() refuses two apps of one place in one claim, and an app of which nobody knows the namespace", () => {
  const two = (more: string) => () =>
    parseConfig(`${more}\napps: { crate: {}, crate-two: { type: crate, kubernetes: { user: "1:1" } } }`, path, [
      crateOnCluster,
    ]);
  const placed = { ...crateOnCluster, place: box.place };
  expect(() => parseConfig("cluster: {}\napps: { crate: {}, crate-two: { type: crate } }", path, [placed])).toThrow(
    /crate-two: data of its own is wanted, is that of "crate" \(claim crates\/crates-data, /,
  );
  expect(two("cluster: {}")).not.toThrow();
  expect(() => parseConfig("cluster: {}", path, [box])).toThrow(/apps\.box\.kubernetes\.namespace: the namespace/);
  const both = "apps: { box: { kubernetes: { workload: { name: a, selector: b=c } } } }";
  expect(() => parseConfig(both, path, [box])).toThrow(/kubernetes\.workload: one of name and selector/);
});

test("parseConfig() names every mistake at once, wherever it stands", () => {
  const named = mistakes(`
nass: /mnt
nasOwner: root
nasFileMode: 644
nasTimeoutSeconds: 0
timeZone: Europe/Berln
apps:
  box:
    kepp: 3
    keep: 0
    size: large
    workload: { stop: x }
  crate:
    smallerThanPercent: 101
    colour: red
  third: {}
`);
  for (const place of [
    "nass", "nasOwner", "nasFileMode", "nasTimeoutSeconds", "timeZone", "kepp", "apps.box.keep", "apps.box.size",
    "apps.box.workload.start", "apps.box.workload.status", "apps.crate.smallerThanPercent", "colour", "apps.third.type",
  ]) expect(named.filter((line) => line.includes(place)), `${place} in\n${named.join("\n")}`).toHaveLength(1); // biome-ignore format: a table
  expect(named.find((line) => line.startsWith("apps.third.type"))).toBe(
    'apps.third.type: one of box, crate is wanted, is "third"',
  );
});

test("parseConfig() refuses a retention that keeps nothing, and a misspelt one (a typing error removed every snapshot elsewhere)", () => {
  for (const text of [
    "keep: 0",
    "keep: -1",
    "keep: 1.5",
    'keep: "5"',
    "keep: lots",
    "keepp: 5",
    "keepDaily: -1",
    "keep: .nan",
    "keep: .inf",
  ]) {
    expect(mistakes(`apps: { box: { ${text} } }`), text).toHaveLength(1);
  }
});

test("parseConfig() refuses names that are no folder, no make target or no part of an id", () => {
  for (const name of ["../etc", ".keepsake", "Box", "a b", "a/b", "-a", "a-", "", "x".repeat(64), "ünder"]) {
    expect(mistakes(`apps: { ${JSON.stringify(name)}: { type: box } }`).length, name).toBeGreaterThan(0);
  }
  for (const name of ["a", "7dtd", "open-webui", "x".repeat(63)])
    expect(mistakes(`apps: { ${name}: { type: box } }`), name).toEqual([]);
});

test("parseConfig() refuses two apps with the same data: each would undo the other's restores", () => {
  expect(mistakes("apps: { box: { folder: /srv/a }, second: { type: box, folder: /srv/x/../a/ } }")).toEqual([
    'apps.second: data of its own is wanted, is that of "box" (/srv/a)',
  ]);
  expect(mistakes("apps: { box: {}, second: { type: box } }")).toHaveLength(1);
  expect(mistakes("apps: { box: { folder: /srv/a }, second: { type: box, folder: /srv/b } }")).toEqual([]);
});

test("parseConfig() refuses what is no mapping, and no YAML", () => {
  for (const text of ["[]", "7", "apps: []", "apps: { box: 7 }", "apps: {box: {}", "\tx: 1", "a: 1\na: 2"]) {
    expect(() => parse(text), text).toThrow(expect.objectContaining({ code: "invalid_config" }));
  }
});

test("loadConfig() reads a file, and says which one it cannot read", async () => {
  const folder = await tempFolder();
  await writeFile(join(folder, "keepsake.yaml"), "nas: ./nas\n");
  expect(await loadConfig(join(folder, "keepsake.yaml"), [boxType])).toMatchObject({ nas: join(folder, "nas") });
  await mkdir(join(folder, "folder.yaml"));
  for (const name of ["not-there.yaml", "folder.yaml"]) {
    await expect(loadConfig(join(folder, name), [boxType])).rejects.toMatchObject({
      code: "invalid_config",
      message: expect.stringContaining(name),
    });
  }
});
