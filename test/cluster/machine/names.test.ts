import { expect, test } from "vitest";
import { answerTo } from "./names.ts";

/** A query, as the C library of a pod sends it (RFC 1035, 4.1). */
function query(name: string, type = 1): Buffer {
  const labels = name.split(".").map((label) => Buffer.from([label.length, ...Buffer.from(label)]));
  return Buffer.concat([Buffer.from("abcd01000001000000000000", "hex"), ...labels, Buffer.from([0, 0, type, 0, 1])]);
}

const services = async (service: string, namespace: string, host?: string) =>
  ({ "web.shop": ["10.96.0.7"], "db.shop": ["10.88.0.2", "10.88.0.3"], "db-0.db.shop": ["10.88.0.2"] })[
    [host, service, namespace].filter(Boolean).join(".")
  ];

const rest = (name: string, type = 1) => answerTo(query(name, type), services).then((answer) => answer.toString("hex"));

test("answerTo() gives the addresses of a Service, and of one pod of it", async () => {
  const question = query("web.shop.svc.cluster.local").subarray(12).toString("hex");
  expect(await rest("web.shop.svc.cluster.local")).toBe(
    `abcd85800001000100000000${question}c00c00010001000000010004${Buffer.from([10, 96, 0, 7]).toString("hex")}`,
  );
  expect(await rest("DB.shop.svc.cluster.local")).toMatch(/^abcd858000010002.*0a580002.*0a580003$/);
  expect(await rest("db-0.db.shop.svc.cluster.local")).toMatch(/^abcd858000010001.*0a580002$/);
});

test("answerTo() knows no other names, and no other kinds of address", async () => {
  const noSuchName = /^abcd858300010000/;
  expect(await rest("nothing.shop.svc.cluster.local")).toMatch(noSuchName);
  expect(await rest("example.org")).toMatch(noSuchName);
  expect(await rest("example.org.shop.svc.cluster.local")).toMatch(noSuchName);
  expect(await rest("web.shop.svc.cluster.local", 28)).toMatch(/^abcd858000010000/);
});
