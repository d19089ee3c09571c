import { chmodSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** Vitest's global set-up: all temporary folders of a test run lie in one, which goes at its end. */
export function setup(): () => void {
  const folder = mkdtempSync(join(tmpdir(), "keepsake-tests-"));
  // As root the PostgreSQL server is another user, who has to get through.
  chmodSync(folder, 0o755);
  process.env.TMPDIR = folder;
  return () => rmSync(folder, { recursive: true, force: true, maxRetries: 3 });
}
