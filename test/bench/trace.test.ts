import { expect, test } from "vitest";
import { readTrace } from "./trace.ts";

const places = { nas: "/nas", data: "/data" };

test("readTrace() counts what was read once it was on the disk, and not before", () => {
  const trace = readTrace(
    [
      '10 pread64(20</data/a>, "abc"..., 4096, 0) = 3',
      '11 read(21</nas/staging/a>, "x", 1) = 1',
      "10 fsync(21</nas/staging/a>) = 0",
      '11 pread64(22</nas/staging/a>, "abc"..., 4096, 0) = 4096',
      '11 pread64(22</nas/staging/a>, "", 4096, 4096) = 0',
      "10 fsync(23</nas/staging>) = -1 EINVAL (Invalid argument)",
      "",
    ].join("\n"),
    places,
  );
  expect(trace).toEqual({ fsyncs: 1, syncfs: 0, readBack: { files: 1, bytes: 4096 }, dataBytes: 3 });
});

test("readTrace() puts calls together that other threads interrupted, and knows what a syncfs brings to the disk", () => {
  const trace = readTrace(
    [
      "10 syncfs(5</nas> <unfinished ...>",
      '11 pread64(20</data/a>, "abc"..., 4096, 0) = 7',
      "10 <... syncfs resumed>)            = 0",
      "12 pread64(22</nas/renders/t.jpg>,  <unfinished ...>",
      '12 <... pread64 resumed>"\\377"..., 4096, 0) = 100',
    ].join("\n"),
    places,
  );
  expect(trace).toEqual({ fsyncs: 0, syncfs: 1, readBack: { files: 1, bytes: 100 }, dataBytes: 7 });
});
