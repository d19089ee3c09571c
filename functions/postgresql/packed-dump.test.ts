import { open, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { Readable } from "node:stream";
import { expect, test } from "vitest";
import { gzipBlocks } from "../../shared/archive/gzip.ts";
import { sha256Of } from "../../shared/nas/publish.ts";
import { openReadBack } from "../../shared/nas/read-back.ts";
import { tempFolder } from "../../shared/testing.ts";
import type { DumpSummary } from "./dump/scan.ts";
import { rememberPacked, summaryOfPacked } from "./packed-dump.ts";

const text = Buffer.from("INSERT INTO notes VALUES (1, 'and so on');\n".repeat(20_000));
const summary = { checksum: "of the statements" } as DumpSummary;

/** A packed file, and what is known of it. */
async function pack() {
  const path = join(await tempFolder(), "dump.sql.gz");
  const parts: Buffer[] = [];
  const packed = gzipBlocks(Readable.from([text]), { proven: true });
  for await (const part of packed) parts.push(Buffer.from(part));
  await writeFile(path, Buffer.concat(parts));
  return { path, known: { summary, sha256: await sha256Of(path) } };
}

async function summaryOf(path: string) {
  const file = await openReadBack(path);
  return summaryOfPacked(file).finally(() => file.close());
}

test("summaryOfPacked() knows the file that was packed, once", async () => {
  const { path, known } = await pack();
  rememberPacked(known);
  expect(await summaryOf(path)).toBe(summary);
  expect(await summaryOf(path)).toBeUndefined();
});

test("summaryOfPacked() leaves any other file to the scan: a flipped bit, a cut, another text", async () => {
  const { path, known } = await pack();
  const whole = await readFile(path);
  for (const [at, value] of [
    [whole.length >> 1, (whole[whole.length >> 1] as number) ^ 1],
    [whole.length - 6, (whole[whole.length - 6] as number) ^ 1],
  ] as const) {
    const file = await open(path, "r+");
    await file.write(Buffer.of(value), 0, 1, at);
    await file.close();
    rememberPacked(known);
    expect(await summaryOf(path)).toBeUndefined();
    await writeFile(path, whole);
  }
  await writeFile(path, whole.subarray(0, whole.length - 1000));
  rememberPacked(known);
  expect(await summaryOf(path)).toBeUndefined();
  await writeFile(path, whole);
  rememberPacked({ ...known, sha256: "0".repeat(64) });
  expect(await summaryOf(path)).toBeUndefined();
});
