import { createCipheriv, createHash } from "node:crypto";

/** Bytes that do not compress, always the same ones for a key. */
export function noise(key: string, lengthBytes: number): Buffer {
  const secret = createHash("md5").update(key).digest();
  return createCipheriv("aes-128-ctr", secret, Buffer.alloc(16)).update(Buffer.alloc(lengthBytes));
}

/** What the game's BinaryWriter puts into its files, little endian. */
export const i32 = (value: number) => fixed(4, (bytes) => bytes.writeInt32LE(value));
export const u32 = (value: number) => fixed(4, (bytes) => bytes.writeUInt32LE(value));
export const u64 = (value: number) => fixed(8, (bytes) => bytes.writeBigUInt64LE(BigInt(value)));
export const f32 = (value: number) => fixed(4, (bytes) => bytes.writeFloatLE(value));

/** A .NET string of less than 128 bytes. */
export function netString(text: string): Buffer {
  const bytes = Buffer.from(text);
  if (bytes.length > 127) throw new RangeError(`Cannot write "${text}": at most 127 bytes are wanted`);
  return Buffer.concat([Buffer.of(bytes.length), bytes]);
}

function fixed(lengthBytes: number, write: (bytes: Buffer) => void): Buffer {
  const bytes = Buffer.alloc(lengthBytes);
  write(bytes);
  return bytes;
}
