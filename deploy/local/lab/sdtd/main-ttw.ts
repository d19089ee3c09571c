import { f32, i32, netString, noise, u32, u64 } from "./bytes.ts";

export const gameVersion = "V 2.5 (b32)";
export const dayTicks = 24_000;

/** What a game's header holds of it. */
export interface GameState {
  /** Made with the game, kept for ever: 32 hex digits. */
  readonly guid: string;
  readonly seed: number;
  /** 24,000 a day. Moves while somebody plays. */
  readonly worldTime: number;
  /** Moves with every save: the weather, the wandering dead. */
  readonly ticks: number;
  readonly nextEntityId: number;
}

/** A main.ttw as version 22 of the format has it, with blobs as long as in a small game. */
export function writeTtw(state: GameState): Buffer {
  const blob = (name: string, lengthBytes: number) =>
    Buffer.concat([i32(lengthBytes), noise(`${name} ${state.seed} ${state.ticks}`, lengthBytes)]);
  const weather = noise(`weather ${state.ticks}`, 600);
  return Buffer.concat([
    ...[Buffer.from("ttw\0"), u32(22), netString(gameVersion), i32(1), i32(2), i32(5), i32(32)],
    ...[u32(0), i32(1), u32(0), f32(62.88), i32(16), i32(256), i32(16), i32(0), i32(4), i32(state.seed)],
    ...[u64(state.worldTime), u64(state.ticks), Buffer.of(0), i32(0), i32(state.nextEntityId), u64(0)],
    ...[blob("spawner", 64), blob("director", 900), blob("sleepers", 4000), blob("triggers", 200), blob("walls", 40)],
    ...[i32(4 + weather.length), weather, netString(state.guid)],
  ]);
}

/** Loads a header as far as a stand-in has to. @throws When it is not one, or not all of it. */
export function readTtw(bytes: Buffer): GameState {
  if (bytes.toString("latin1", 0, 4) !== "ttw\0") throw new Error("Invalid magic bytes in world header");
  let at = 8;
  at += 1 + (bytes[at] as number) + 16 + 12 + 4 + 16 + 4;
  const seed = bytes.readInt32LE(at);
  const worldTime = Number(bytes.readBigUInt64LE(at + 4));
  const ticks = Number(bytes.readBigUInt64LE(at + 12));
  const nextEntityId = bytes.readInt32LE(at + 25);
  at += 37;
  for (let blob = 0; blob < 5; blob++) at += 4 + bytes.readInt32LE(at);
  at += bytes.readInt32LE(at);
  const length = bytes[at] as number;
  const guid = bytes.toString("latin1", at + 1, at + 1 + length);
  if (guid.length !== 32) throw new Error("Failed loading world header file");
  return { guid, seed, worldTime, ticks, nextEntityId };
}
