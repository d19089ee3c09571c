import { expect, test } from "vitest";
import { markdown, reaches, shown, sizeRow, timeRow } from "./table.ts";

test("timeRow() and sizeRow() hold what was measured against the goal", () => {
  const missed = timeRow("restore", "tar xzf", 0.5, [
    { ours: 3, peer: 4 },
    { ours: 2, peer: 4 },
    { ours: 3, peer: 5 },
  ]);
  expect(missed).toMatchObject({ ours: 3, peer: 4, ratio: 0.6 });
  expect(reaches(missed)).toBe(false);
  expect(reaches(sizeRow("archive", "pigz", 1.05, 105, 100))).toBe(true);
});

test("markdown() says of each row whether its goal was reached, and no pipe of a command breaks the table", () => {
  const rows = [
    timeRow("first backup", "tar | pigz -p2", 0.9, [{ ours: 1, peer: 2 }]),
    sizeRow("peak memory", "the limit", 1, 151e6, 150e6),
  ];
  expect(markdown(rows)).toBe(
    [
      "| work         | ours    | peer                      | ratio | goal         | verdict    |",
      "| ------------ | ------- | ------------------------- | ----- | ------------ | ---------- |",
      "| first backup | 1.000 s | 2.000 s `tar \\| pigz -p2` | 0.50  | at most 0.90 | reached    |",
      "| peak memory  | 151 MB  | 150 MB `the limit`        | 1.01  | at most 1.00 | **missed** |",
      "",
    ].join("\n"),
  );
});

test("shown() gives seconds and bytes with the digits that count", () => {
  expect([0.0424, 12.34].map((value) => shown(value, "seconds"))).toEqual(["0.042 s", "12.3 s"]);
  expect([900, 1.5e6, 3.22e9].map((value) => shown(value, "bytes"))).toEqual(["0.90 kB", "1.50 MB", "3.22 GB"]);
});
