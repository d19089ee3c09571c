/**
 * One token of an SQL statement. `text` is as it stands; `value` what it means: a word in lower case, a quoted
 * identifier without its quotes.
 */
export interface Token {
  readonly kind: "word" | "identifier" | "string" | "number" | "symbol";
  readonly text: string;
  readonly value: string;
}

/** Whole tokens only: what is left over is a symbol of one character. Comments are no tokens. */
const pattern =
  /\s+|--[^\n]*|(?<string>[EeNnBbXx]?'[^'\\]*(?:(?:''|\\[\s\S])[^'\\]*)*'|(?<tag>\$(?:[A-Za-z_]\w*)?\$)[\s\S]*?\k<tag>)|"(?<identifier>(?:[^"]|"")+)"|(?<word>[A-Za-z_\u0080-\uffff][\w$\u0080-\uffff]*)|(?<number>\d+)|(?<symbol>[\s\S])/uy;

/**
 * The tokens of one statement, made as they are asked for, so that the head of a long statement costs little.
 * Meant for deciding what kind of statement it is: a plain string that holds a backslash, and U&"" names,
 * come out as something that no rule accepts.
 */
export function* tokens(sql: string): Generator<Token> {
  const scan = new RegExp(pattern);
  for (let match = scan.exec(sql); match; match = scan.exec(sql)) {
    const { string, identifier, word, number, symbol } = match.groups ?? {};
    if (string !== undefined) yield { kind: "string", text: string, value: string };
    else if (identifier !== undefined)
      yield { kind: "identifier", text: match[0], value: identifier.replaceAll('""', '"') };
    else if (word !== undefined) yield { kind: "word", text: word, value: word.toLowerCase() };
    else if (number !== undefined) yield { kind: "number", text: number, value: number };
    else if (symbol !== undefined) yield { kind: "symbol", text: symbol, value: symbol };
    if (scan.lastIndex >= sql.length) return;
  }
}

/** The first few tokens. */
export function head(sql: string, count: number): Token[] {
  const found: Token[] = [];
  for (const token of tokens(sql)) {
    found.push(token);
    if (found.length === count) break;
  }
  return found;
}

/** Reads tokens from left to right; every `take…` answers undefined and stays where it is when it does not fit. */
export class TokenReader {
  readonly #tokens: readonly Token[];
  #at = 0;

  constructor(all: Iterable<Token>) {
    this.#tokens = [...all];
  }

  get done(): boolean {
    return this.#at >= this.#tokens.length;
  }

  peek(): Token | undefined {
    return this.#tokens[this.#at];
  }

  /** Keywords, one after the other: all of them or none. */
  words(...wanted: string[]): boolean {
    const fits = wanted.every((word, i) => {
      const token = this.#tokens[this.#at + i];
      return token?.kind === "word" && token.value === word;
    });
    if (fits) this.#at += wanted.length;
    return fits;
  }

  symbol(wanted: string): boolean {
    const token = this.peek();
    const fits = token?.kind === "symbol" && token.value === wanted;
    if (fits) this.#at++;
    return fits;
  }

  /** A name as it is meant: words fold to lower case. */
  name(): string | undefined {
    const token = this.peek();
    if (token?.kind !== "word" && token?.kind !== "identifier") return undefined;
    this.#at++;
    return token.value;
  }

  take(kind: Token["kind"]): string | undefined {
    const token = this.peek();
    if (token?.kind !== kind) return undefined;
    this.#at++;
    return token.text;
  }

  /** `schema.name`, or just `name`. */
  qualified(): string[] | undefined {
    const first = this.name();
    if (first === undefined) return undefined;
    const parts = [first];
    while (this.symbol(".")) {
      const next = this.name();
      if (next === undefined) return undefined;
      parts.push(next);
    }
    return parts;
  }
}
