import { open } from "node:fs/promises";

/*
 * The head of a GGUF file, version 3: magic, version, number of tensors, number of key-value pairs, the pairs. It holds
 * as much as the stand-in needs to tell whether a file is whole: how long it shall be.
 */

const magic = "GGUF";
const [typeUint64, typeString] = [10, 8];
const headBytes = 1 << 12;

export function ggufHeader(name: string, sizeBytes: number): Buffer {
  const pairs = [pair("general.architecture", "llama"), pair("general.name", name), pair("lab.bytes", sizeBytes)];
  const head = Buffer.alloc(24);
  head.write(magic, 0, "latin1");
  head.writeUInt32LE(3, 4);
  head.writeBigUInt64LE(0n, 8);
  head.writeBigUInt64LE(BigInt(pairs.length), 16);
  return Buffer.concat([head, ...pairs]);
}

/**
 * Loads a model's weights as far as a stand-in has to.
 * @throws When they are cut off, or no GGUF file.
 */
export async function loadWeights(path: string): Promise<void> {
  const file = await open(path);
  try {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(headBytes), 0, headBytes, 0);
    const head = buffer.subarray(0, bytesRead);
    if (head.toString("latin1", 0, 4) !== magic) throw new Error(`invalid file magic: "${path}"`);
    const wanted = readLength(head);
    const { size } = await file.stat();
    if (wanted !== size) throw new Error(`unexpected EOF: "${path}" has ${size} bytes of ${wanted}`);
  } finally {
    await file.close();
  }
}

function readLength(head: Buffer): number {
  let at = 24;
  const text = () => {
    const length = Number(head.readBigUInt64LE(at));
    at += 8 + length;
    return head.toString("utf8", at - length, at);
  };
  for (let left = Number(head.readBigUInt64LE(16)); left > 0; left--) {
    const key = text();
    const type = head.readUInt32LE(at);
    at += 4;
    if (type === typeString) text();
    else {
      if (key === "lab.bytes") return Number(head.readBigUInt64LE(at));
      at += 8;
    }
  }
  throw new Error("no length in it");
}

function pair(key: string, value: string | number): Buffer {
  const type = Buffer.alloc(4);
  type.writeUInt32LE((typeof value === "string" ? typeString : typeUint64) as number);
  return Buffer.concat([text(key), type, typeof value === "string" ? text(value) : uint64(value)]);
}

const text = (value: string) => Buffer.concat([uint64(Buffer.byteLength(value)), Buffer.from(value)]);

function uint64(value: number): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64LE(BigInt(value));
  return bytes;
}
