import { expect, test } from "vitest";
import { isBlobName, parseManifest } from "./manifest.ts";

const [one, two] = ["1".repeat(64), "2".repeat(64)];
const layer = (hex: string, size: unknown = 5) => ({
  mediaType: "application/vnd.ollama.image.model",
  digest: `sha256:${hex}`,
  size,
});
const parse = (manifest: unknown) =>
  parseManifest(Buffer.from(typeof manifest === "string" ? manifest : JSON.stringify(manifest)));

test("parseManifest() gives every layer and the config once, by the names of their files", () => {
  const manifest = { schemaVersion: 2, config: layer(two, 9), layers: [layer(one), layer(one), layer(two, 9)] };
  expect(parse(manifest)).toEqual({
    blobs: [
      { name: `sha256-${one}`, sizeBytes: 5 },
      { name: `sha256-${two}`, sizeBytes: 9 },
    ],
    children: [],
  });
});

test("parseManifest() takes a config without a digest, none at all, and what it does not know", () => {
  const blobs = [{ name: `sha256-${one}`, sizeBytes: 5 }];
  for (const config of [{ mediaType: "", digest: "", size: 0 }, undefined, null]) {
    expect(
      parse({ schemaVersion: 2, config, layers: [{ ...layer(one), from: "/x", name: "t.weight" }], extra: 1 }).blobs,
    ).toEqual(blobs);
  }
});

test("parseManifest() follows a list of manifests, referred to or written out", () => {
  const list = {
    schemaVersion: 2,
    mediaType: "application/vnd.ollama.manifest.list.v2+json",
    manifests: [
      {
        mediaType: "application/vnd.docker.distribution.manifest.v2+json",
        digest: `sha256:${one}`,
        runner: "llamacpp",
      },
      { schemaVersion: 2, config: layer(two), layers: [], runner: "mlx" },
    ],
  };
  expect(parse(list)).toEqual({ blobs: [{ name: `sha256-${two}`, sizeBytes: 5 }], children: [`sha256-${one}`] });
});

test.for([
  ["", "empty"],
  ['{"schemaVersion":2,"layers":[{"dig', "JSON"],
  ["[]", "expected object"],
  [{ schemaVersion: 2, layers: [] }, "no layers"],
  [{ schemaVersion: 2, layers: [{ digest: "sha256:../../../etc/passwd", size: 1 }] }, "is no sha256"],
  [{ schemaVersion: 2, layers: [layer("A".repeat(64))] }, "is no sha256"],
  [{ schemaVersion: 2, layers: [layer(`${one}\n`)] }, "is no sha256"],
  [{ schemaVersion: 2, layers: [layer(one, -1)] }, "size"],
  [{ schemaVersion: 2, layers: [layer(one, 1.5)] }, "size"],
  [{ schemaVersion: 2, layers: [layer(one, 2 ** 60)] }, "size"],
  [{ schemaVersion: 2, layers: [layer(one, "5")] }, "size"],
  [{ schemaVersion: 2, layers: [layer(one, 5), layer(one, 6)] }, "two sizes"],
  [{ schemaVersion: 2, config: layer(one, 6), layers: [layer(one, 5)] }, "two sizes"],
] as const)("parseManifest() refuses %j", ([manifest, why]) => {
  expect(() => parse(manifest)).toThrow(why);
});

test("isBlobName() knows blobs from what only begins like one", () => {
  expect(isBlobName(`sha256-${one}`)).toBe(true);
  for (const name of [
    `sha256-${one}-partial`,
    `sha256-${one}.tmp`,
    "sha256-123",
    `sha256:${one}`,
    `.sha256-${one}`,
    `sha256-${one}\n`,
  ]) {
    expect(isBlobName(name)).toBe(false);
  }
});
