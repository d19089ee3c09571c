import { execFileSync } from "node:child_process";
import { chmodSync, mkdtempSync, rmSync, statfsSync, writeFileSync } from "node:fs";
import { freemem, tmpdir } from "node:os";
import { join } from "node:path";
import type { TestProject } from "vitest/node";

/** Where files lie in memory, on Linux. */
const memory = "/dev/shm";
/** Several times what the tests hold at once, unless they are asked to work on more (test/memory). */
const wantedBytes = 4 * 2 ** 30;
const isMore = process.env.MEMORY_MB !== undefined;

/**
 * Vitest's global set-up: all temporary folders of a project's tests lie in one, which goes at their end. The unit tests'
 * is in memory where there is room: their runs make each file durable, and would wait for the disk half of their time.
 */
export function setup({ name, config }: TestProject): () => void {
  const folder = (name.startsWith("unit") && !isMore && folderInMemory()) || made(tmpdir());
  config.env.TMPDIR = folder;
  return () => rmSync(folder, { recursive: true, force: true, maxRetries: 3 });
}

function made(parent: string): string {
  const folder = mkdtempSync(join(parent, "keepsake-tests-"));
  // As root the PostgreSQL server is another user, who has to get through.
  chmodSync(folder, 0o755);
  return folder;
}

function folderInMemory(): string | undefined {
  let folder: string | undefined;
  try {
    const { bavail, bsize } = statfsSync(memory);
    if (Math.min(bavail * bsize, freemem()) < wantedBytes) return undefined;
    folder = made(memory);
    // In containers often nothing may be started there, which some tests do.
    const program = join(folder, "program");
    writeFileSync(program, "#!/bin/sh\n", { mode: 0o755 });
    execFileSync(program);
    rmSync(program);
    return folder;
  } catch {
    if (folder !== undefined) rmSync(folder, { recursive: true, force: true });
    return undefined;
  }
}
