import { constants } from "node:fs";
import { Failure, type FailureCode } from "../../shared/failures.ts";
import { openSmall } from "../../shared/files.ts";

/**
 * Reads a file that has to be small, and a file: no link is followed.
 * @throws {Failure} With `code`.
 */
export async function readSmall(path: string, largestBytes: number, code: FailureCode): Promise<Buffer> {
  const file = await openSmall(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK).catch(
    (cause) => {
      const why = cause.code === "ENOENT" ? "it is not there" : cause.code === "ELOOP" ? "is a link" : cause.message;
      throw new Failure(code, `Cannot read "${path}": a file is wanted, ${why}`, { cause });
    },
  );
  try {
    const info = await file.stat();
    if (!info.isFile()) throw new Failure(code, `Cannot read "${path}": a file is wanted, is something else`);
    if (info.size === 0 || info.size > largestBytes) {
      throw new Failure(code, `Cannot read "${path}": 1 to ${largestBytes} bytes are wanted, are ${info.size}`);
    }
    const content = Buffer.alloc(info.size);
    const { bytesRead } = await file.read(content, 0, info.size, 0);
    return content.subarray(0, bytesRead);
  } finally {
    await file.close();
  }
}
