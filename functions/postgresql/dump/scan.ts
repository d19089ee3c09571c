import { createHash } from "node:crypto";
import { Failure } from "../../../shared/failures.ts";
import { type DatabaseFacts, maxPreambleBytes, parsePreamble, preambleStart } from "../preamble.ts";
import { classify, type Statement } from "./classify.ts";
import { DumpLexer, type DumpPart } from "./lexer.ts";

/** What a whole dump holds. */
export interface DumpSummary {
  /** sha256 over statements and rows: nothing of versions, comments, keys. Equal data, equal checksum. */
  readonly checksum: string;
  /** Size of what the checksum is over. */
  readonly sizeBytes: number;
  /** What Keepsake's own preamble says; a dump of somebody else's has none. */
  readonly database?: DatabaseFacts;
  /** "15.18 (Debian …)" */
  readonly serverVersion?: string;
  /** Rows by table. */
  readonly tables: ReadonlyMap<string, number>;
  readonly largeObjects: number;
  readonly extensions: ReadonlyMap<string, string | undefined>;
  readonly schemas: ReadonlySet<string>;
  /** By role: the first few objects that belong to it, and how many there are. */
  readonly owners: ReadonlyMap<string, { count: number; examples: string[] }>;
  /** Roles that rights are granted to. */
  readonly grantees: ReadonlySet<string>;
  /** Objects that only a superuser can have, and rights on the server's own functions. */
  readonly superuserObjects: readonly string[];
}

/** What a reader of the dump is given, one after the other; each is awaited. */
export interface DumpReader {
  onStatement?(statement: Statement, sql: string): Promise<void> | void;
  onRows?(bytes: Buffer): Promise<void> | void;
  onRowsEnd?(rows: number): Promise<void> | void;
}

const examplesKept = 3;

/** Reads a whole dump with a `DumpScan`. */
export async function scanDump(bytes: AsyncIterable<Uint8Array>, reader: DumpReader = {}): Promise<DumpSummary> {
  const scan = new DumpScan(reader);
  for await (const chunk of bytes) await scan.push(chunk);
  return scan.finish();
}

/**
 * Reads a plain dump of one database from its first byte to its last, in bounded memory, and proves that it is one:
 * header, every statement, every row, trailer, equal restrict keys. A truncated one is found wherever it was cut.
 * The reader sees everything in order, before it is known whether the dump is whole.
 */
export class DumpScan {
  readonly #reader: DumpReader;
  readonly #lexer = new DumpLexer();
  /** The dump's beginning, until it is known where pg_dump's text begins. */
  #head: Buffer | undefined = Buffer.alloc(0);
  readonly #hash = createHash("sha256");
  readonly #tables = new Map<string, number>();
  readonly #extensions = new Map<string, string | undefined>();
  readonly #schemas = new Set<string>();
  readonly #owners = new Map<string, { count: number; examples: string[] }>();
  readonly #grantees = new Set<string>();
  readonly #superuserObjects: string[] = [];
  readonly #decode = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
  #database: DatabaseFacts | undefined;
  #serverVersion: string | undefined;
  #sizeBytes = 0;
  #largeObjects = 0;
  #statements = 0;
  #table: string | undefined;
  #rows = 0;
  #key: string | undefined;
  #keyClosed = false;
  #begun = false;
  #complete = false;

  constructor(reader: DumpReader = {}) {
    this.#reader = reader;
  }

  /** @throws {Failure} `backup_damaged`, `backup_hostile`. */
  async push(chunk: Uint8Array): Promise<void> {
    let text = Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength);
    if (this.#head) {
      const head = Buffer.concat([this.#head, text]);
      const begin = this.#preamble(head);
      this.#head = begin === undefined ? head : undefined;
      if (begin === undefined) return;
      text = head.subarray(begin);
    }
    for (const part of this.#lexer.feed(text)) await this.#part(part);
  }

  /** @throws {Failure} `backup_damaged`, `backup_hostile`. */
  async finish(): Promise<DumpSummary> {
    if (this.#head) for (const part of this.#lexer.feed(this.#head)) await this.#part(part);
    for (const part of this.#lexer.finish()) await this.#part(part);
    return this.#summary();
  }

  /** @returns Where pg_dump's text begins; undefined when more bytes are needed to tell. */
  #preamble(head: Buffer): number | undefined {
    const start = head.subarray(0, preambleStart.length);
    if (!start.equals(preambleStart.subarray(0, start.length))) return 0;
    const parsed = head.length < preambleStart.length ? undefined : parsePreamble(head);
    if (!parsed && head.length > maxPreambleBytes) throw damaged("what the dump says of its database is too long");
    if (!parsed) return undefined;
    this.#database = parsed.facts;
    this.#count(head.subarray(0, parsed.lengthBytes));
    return parsed.lengthBytes;
  }

  async #part(part: DumpPart): Promise<void> {
    if (part.type === "comment") return this.#comment(part.text);
    if (part.type === "restrict" || part.type === "unrestrict") return this.#restrict(part.type, part.key);
    if (this.#complete) throw damaged("nothing is wanted after its trailer, there is more");
    if (!this.#begun) throw damaged('"-- PostgreSQL database dump" is wanted before the first statement');
    if (part.type === "statement") return this.#statement(part.text);
    if (part.type === "data") {
      this.#count(part.bytes);
      this.#rows += part.rows;
      await this.#reader.onRows?.(part.bytes);
      return;
    }
    const table = this.#table as string;
    this.#tables.set(table, (this.#tables.get(table) ?? 0) + this.#rows);
    this.#count(endOfRows);
    await this.#reader.onRowsEnd?.(this.#rows);
  }

  #comment(text: string): void {
    if (text === "-- PostgreSQL database dump") this.#begun = true;
    else if (text === "-- PostgreSQL database dump complete") this.#complete = true;
    else if (text === "-- PostgreSQL database cluster dump") {
      throw new Failure("backup_damaged", "Cannot accept the dump: one database's is wanted, it is a whole cluster's");
    } else this.#serverVersion ??= /^-- Dumped from database version (.{1,200})$/.exec(text)?.[1];
  }

  #restrict(type: "restrict" | "unrestrict", key: string): void {
    if (type === "restrict") {
      if (this.#key !== undefined || this.#statements > 0) {
        throw hostile("one \\restrict before the first statement is wanted, there is another");
      }
      this.#key = key;
      return;
    }
    if (!this.#complete || this.#keyClosed || key !== this.#key) {
      throw hostile("one \\unrestrict, after the trailer and with the key of \\restrict, is wanted");
    }
    this.#keyClosed = true;
  }

  async #statement(text: Buffer): Promise<void> {
    this.#statements++;
    this.#count(text);
    this.#count(endOfStatement);
    let sql: string;
    try {
      sql = this.#decode.decode(text);
    } catch (cause) {
      throw new Failure("backup_damaged", "Cannot read a statement of the dump: UTF-8 is wanted", { cause });
    }
    const statement = classify(sql);
    this.#note(statement);
    await this.#reader.onStatement?.(statement, sql);
  }

  #note(statement: Statement): void {
    switch (statement.kind) {
      case "refused":
        throw hostile(statement.why);
      case "copy":
        this.#table = statement.target.table;
        this.#rows = 0;
        break;
      case "extension":
        this.#extensions.set(statement.name, statement.schema);
        break;
      case "schema":
        this.#schemas.add(statement.name);
        break;
      case "owner": {
        const owner = this.#owners.get(statement.role) ?? { count: 0, examples: [] };
        owner.count++;
        if (owner.examples.length < examplesKept) owner.examples.push(statement.object);
        this.#owners.set(statement.role, owner);
        break;
      }
      case "grant":
        if (statement.role !== undefined) this.#grantees.add(statement.role);
        if (statement.builtIn) this.#superuserObjects.push(`rights on ${statement.object}`);
        break;
      case "superuser":
        this.#superuserObjects.push(statement.object);
        break;
      case "run":
        if (statement.creates === "largeObject") this.#largeObjects++;
        break;
    }
  }

  #count(bytes: Buffer): void {
    this.#hash.update(bytes);
    this.#sizeBytes += bytes.length;
  }

  #summary(): DumpSummary {
    if (!this.#begun) throw damaged('"-- PostgreSQL database dump" is wanted at its beginning');
    if (!this.#complete) {
      throw damaged('"-- PostgreSQL database dump complete" is wanted at its end: it was cut off, or pg_dump failed');
    }
    if (this.#key !== undefined && !this.#keyClosed) throw damaged("\\unrestrict is wanted at its end");
    return {
      checksum: this.#hash.digest("hex"),
      sizeBytes: this.#sizeBytes,
      ...(this.#database && { database: this.#database }),
      ...(this.#serverVersion !== undefined && { serverVersion: this.#serverVersion }),
      tables: this.#tables,
      largeObjects: this.#largeObjects,
      extensions: this.#extensions,
      schemas: this.#schemas,
      owners: this.#owners,
      grantees: this.#grantees,
      superuserObjects: this.#superuserObjects,
    };
  }
}

const endOfStatement = Buffer.from(";\n");
const endOfRows = Buffer.from("\\.\n");
const damaged = (why: string) => new Failure("backup_damaged", `Cannot accept the dump: ${why}`);
const hostile = (why: string) => new Failure("backup_hostile", `Cannot accept the dump: ${why}`);
