import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { mkdir, mkdtemp, rename, rm, writeFile } from "node:fs/promises";
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

/**
 * Makes an image of one layer out of a folder, without a container registry or a builder: a tar of the format that
 * `docker save` writes (github.com/moby/docker-image-spec, "combined image JSON"), which containerd imports.
 * Files keep their owners and modes; the image of the same files has the same id.
 */
export async function archiveOf(root: string, name: string, config: ImageConfig, target: string): Promise<void> {
  await mkdir(dirname(target), { recursive: true });
  const making = await mkdtemp(`${target}.`);
  const layer = join(making, "layer.tar");
  await command("tar", ["--sort=name", "--mtime=@0", "--numeric-owner", "-C", root, "-cf", layer, "."]);
  const image = JSON.stringify({
    architecture: process.arch === "x64" ? "amd64" : process.arch,
    os: "linux",
    config,
    rootfs: { type: "layers", diff_ids: [`sha256:${await sha256Of(layer)}`] },
    history: [{ created: "1970-01-01T00:00:00Z" }],
  });
  const configName = `${createHash("sha256").update(image).digest("hex")}.json`;
  await writeFile(join(making, configName), image);
  await writeFile(
    join(making, "manifest.json"),
    JSON.stringify([{ Config: configName, RepoTags: [name], Layers: ["layer.tar"] }]),
  );
  await command("tar", ["-C", making, "-cf", join(making, "image.tar"), "manifest.json", configName, "layer.tar"]);
  await rename(join(making, "image.tar"), target);
  await rm(making, { recursive: true });
}

async function sha256Of(path: string): Promise<string> {
  const hash = createHash("sha256");
  await pipeline(createReadStream(path), hash);
  return hash.digest("hex");
}
