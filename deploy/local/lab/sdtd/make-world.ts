import { createWriteStream } from "node:fs";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { noise } from "./bytes.ts";
import { writeTtw } from "./main-ttw.ts";
import { guidOf } from "./make-game.ts";

/** Lays out a generated world as the game does, with a height map of so many points a side. */
export async function makeWorld(folder: string, seed: number, points = 512): Promise<void> {
  await mkdir(folder, { recursive: true });
  const write = (name: string, content: string | Buffer) => writeFile(join(folder, name), content);
  const header = { guid: guidOf(`world ${seed}`), seed, worldTime: 0, ticks: 0, nextEntityId: 171 };
  await write("main.ttw", writeTtw(header));
  await write(
    "map_info.xml",
    `<MapInfo>\n  <property name="Scale" value="1" />\n  <property name="HeightMapSize" value="${points},${points}" />\n  <property name="Generation.Seed" value="${seed}" />\n</MapInfo>\n`,
  );
  await write(
    "prefabs.xml",
    xml("prefabs", '<decoration type="model" name="house_01" position="0,0,0" rotation="1" />', 300),
  );
  await write("spawnpoints.xml", xml("spawnpoints", '<spawnpoint position="1,2,3" rotation="0,0,0" />', 20));
  await write("water_info.xml", xml("WaterSources", '<Water pos="5,6,7" />', 20));
  await write("GenerationInfo.txt", `World Seed:${seed}\nMap Size:${points}\n`);
  for (const name of ["biomes.png", "radiation.png", "splat3.png", "splat4.png"]) {
    const pixels = noise(`${name} ${seed}`, Math.max(1000, (points * points) >> 4));
    await write(name, Buffer.concat([Buffer.from([0x89, 0x50, 0x4e, 0x47, 13, 10, 26, 10]), pixels]));
  }
  for (const name of ["dtm.raw", "dtm_processed.raw"]) {
    await pipeline(Readable.from(heights(`${name} ${seed}`, points)), createWriteStream(join(folder, name)));
  }
  await write("checksums.txt", `dtm.raw ${guidOf(`dtm ${seed}`)}\nbiomes.png ${guidOf(`biomes ${seed}`)}\n`);
}

const xml = (root: string, line: string, times: number) =>
  `<?xml version="1.0" encoding="UTF-8"?>\n<${root}>\n${`  ${line}\n`.repeat(times)}</${root}>\n`;

/** Two bytes a point; hills compress by half. */
function* heights(key: string, points: number): Generator<Buffer> {
  const rows = Math.max(1, Math.floor((1 << 20) / (points * 2)));
  for (let row = 0; row < points; row += rows) {
    const bytes = Buffer.alloc(Math.min(rows, points - row) * points * 2, 60);
    noise(`${key} ${row}`, bytes.length >> 1).copy(bytes);
    yield bytes;
  }
}
