import { createCipheriv, createHash } from "node:crypto";

/** Bytes that do not compress, always the same ones for a key. */
export function noise(key: string, lengthBytes: number): Buffer {
  const secret = createHash("md5").update(key).digest();
  return createCipheriv("aes-128-ctr", secret, Buffer.alloc(16)).update(Buffer.alloc(lengthBytes));
}
