import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { mkdir, mkdtemp, rename, rm, symlink, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { pipeline } from "node:stream/promises";
import { command } from "../install/command.ts";

/** What containers of an image start with (OCI image-spec, config.md). */
export interface ImageConfig {
  User?: string;
  Env?: string[];
  Entrypoint?: string[];
  Cmd?: string[];
  WorkingDir?: string;
}

/** A folder as a layer of an image: all belongs to root, and the same files give the same bytes. */
export async function layerOf(root: string, target: string): Promise<void> {
  const same = ["--sort=name", "--mtime=@0", "--owner=0", "--group=0", "--numeric-owner"];
  await command("tar", [...same, "-C", root, "-cf", target, "."]);
}

/**
 * Makes an image out of layers, the lowest first, without a container registry or a builder: a tar of the format that
 * `docker save` writes (github.com/moby/docker-image-spec, "combined image JSON"), which containerd imports.
 */
export async function archiveOf(layers: string[], name: string, config: ImageConfig, target: string): Promise<void> {
  await mkdir(dirname(target), { recursive: true });
  const making = await mkdtemp(`${target}.`);
  try {
    const image = JSON.stringify({
      architecture: process.arch === "x64" ? "amd64" : process.arch,
      os: "linux",
      config,
      rootfs: {
        type: "layers",
        diff_ids: await Promise.all(layers.map(async (layer) => `sha256:${await sha256Of(layer)}`)),
      },
      history: layers.map(() => ({ created: "1970-01-01T00:00:00Z" })),
    });
    const configName = `${createHash("sha256").update(image).digest("hex")}.json`;
    const names = layers.map((_, index) => `layer-${index}.tar`);
    // Not a hard link: that changes the file, which another test may be reading.
    for (const [index, layer] of layers.entries()) await symlink(layer, join(making, names[index]!));
    const manifest = [{ Config: configName, RepoTags: [name], Layers: names }];
    await writeFile(join(making, configName), image);
    await writeFile(join(making, "manifest.json"), JSON.stringify(manifest));
    const archive = join(making, "image.tar");
    await command("tar", ["-C", making, "--dereference", "-cf", archive, "manifest.json", configName, ...names]);
    await rename(archive, target);
  } finally {
    await rm(making, { recursive: true });
  }
}

async function sha256Of(path: string): Promise<string> {
  const hash = createHash("sha256");
  await pipeline(createReadStream(path), hash);
  return hash.digest("hex");
}
