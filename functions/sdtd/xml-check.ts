import { type FileCheck, FileEnds } from "./file-check.ts";

const endBytes = 4096;

/** An XML file that is there to its end: its last tag closes its first. Half of one, or one of zeros, is not. */
export class XmlCheck implements FileCheck {
  readonly #ends = new FileEnds(endBytes, endBytes);

  update(piece: Buffer): void {
    this.#ends.update(piece);
  }

  end(): string | undefined {
    const { head, tail, sizeBytes } = this.#ends;
    if (sizeBytes === 0) return "it is empty";
    if (head.includes(0) || tail.includes(0)) return "it holds bytes of zero, as no XML file does";
    const text = withoutProlog(head.toString("utf8"));
    const root = /^<([A-Za-z_][\w.:-]*)[\s/>]/.exec(text)?.[1];
    if (root === undefined) return "it does not begin as an XML file does";
    const end = withoutComments(tail.toString("utf8"));
    if (end.endsWith(`</${root}>`)) return undefined;
    // A root with nothing in it: the only tag there is.
    if (end.endsWith("/>") && sizeBytes <= endBytes && text.split("<").length === 2) return undefined;
    return `it does not end with </${root}>: it was cut short`;
  }
}

/** From the first tag on. */
function withoutProlog(text: string): string {
  let rest = text.replace(/^\ufeff/, "").trimStart();
  for (const [opens, closes] of [
    ["<?", "?>"],
    ["<!--", "-->"],
  ] as const) {
    while (rest.startsWith(opens) && rest.includes(closes)) {
      rest = rest.slice(rest.indexOf(closes) + closes.length).trimStart();
    }
  }
  return rest;
}

/** Up to the last tag. */
function withoutComments(text: string): string {
  let rest = text.trimEnd();
  while (rest.endsWith("-->") && rest.includes("<!--")) rest = rest.slice(0, rest.lastIndexOf("<!--")).trimEnd();
  return rest;
}
