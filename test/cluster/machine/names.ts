import { createSocket } from "node:dgram";

/*
 * The names of Services, as pods ask for them: CoreDNS' part in a cluster (github.com/kubernetes/dns, specification.md),
 * as far as addresses by IPv4 go. The format of messages is RFC 1035's, section 4.
 */

const zone = ["svc", "cluster", "local"];
const typeA = 1;
const noSuchName = 3;

/** Of "web.shop.svc.cluster.local": its addresses. Nothing when there is no such Service. */
export type Resolve = (service: string, namespace: string, host?: string) => Promise<string[] | undefined>;

export async function serveNames(address: string, resolve: Resolve): Promise<void> {
  const socket = createSocket("udp4");
  socket.on("message", async (query, sender) => {
    const answer = await answerTo(query, resolve).catch(() => undefined);
    // Who is not answered asks again.
    if (answer) socket.send(answer, sender.port, sender.address);
  });
  await new Promise<void>((done, reject) => socket.once("error", reject).bind(53, address, done));
}

/** @throws When the query cannot be read, or the addresses cannot be found out. */
export async function answerTo(query: Buffer, resolve: Resolve): Promise<Buffer> {
  const labels: string[] = [];
  let at = 12;
  for (let length = query.readUInt8(at); length > 0; length = query.readUInt8(at)) {
    labels.push(query.toString("latin1", at + 1, at + 1 + length).toLowerCase());
    at += 1 + length;
  }
  const type = query.readUInt16BE(at + 1);
  const question = query.subarray(12, at + 5);
  const found = await addressesOf(labels, resolve);
  const answers = type === typeA ? (found ?? []) : [];

  const header = Buffer.alloc(12);
  query.copy(header, 0, 0, 2);
  // An answer, authoritative, to one question; it asks for recursion or does not.
  header.writeUInt16BE(0x8400 | (query.readUInt16BE(2) & 0x0100) | 0x0080 | (found ? 0 : noSuchName), 2);
  header.writeUInt16BE(1, 4);
  header.writeUInt16BE(answers.length, 6);
  return Buffer.concat([header, question, ...answers.map(recordOf)]);
}

/** The name is where the question has it (a pointer), class IN, 1 second to live, four bytes. */
const recordOf = (address: string) =>
  Buffer.concat([
    Buffer.from([0xc0, 12, 0, typeA, 0, 1, 0, 0, 0, 1, 0, 4]),
    Buffer.from(address.split(".").map(Number)),
  ]);

async function addressesOf(labels: string[], resolve: Resolve): Promise<string[] | undefined> {
  if (labels.slice(-3).join(".") !== zone.join(".")) return undefined;
  const [namespace, service, host, ...more] = labels.slice(0, -3).reverse();
  if (more.length > 0) return undefined;
  if (namespace === undefined || service === undefined) return [];
  return resolve(service, namespace, host);
}
