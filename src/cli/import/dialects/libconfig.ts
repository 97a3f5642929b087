/** Reads the settings that libconfig writes, as far as sslh.cfg has them. */

export type Setting = string | number | boolean | Group | readonly Setting[];

/** Settings by their names, each with the line on which it begins. */
export interface Group {
  readonly line: number;
  readonly settings: ReadonlyMap<string, Setting>;
}

/** Deeper than any configuration; it keeps the reader from running out. */
const MOST_DEPTH = 50;

/** @throws {SyntaxError} that says what stands on which line */
export function readLibconfig(text: string): Group {
  return new LibconfigReader(text).all();
}

export function isGroup(setting: Setting | undefined): setting is Group {
  return typeof setting === "object" && "settings" in setting;
}

const TOKEN =
  /\s+|#.*|\/\/.*|\/\*[^]*?\*\/|("(?:[^"\\]|\\[^])*")|([A-Za-z*][\w*-]*)|([-+]?(?:0[xX][\da-fA-F]+|[\d.]+(?:[eE][-+]?\d+)?)L*)|([=:;,(){}[\]])/y;

interface Token {
  readonly text: string;
  readonly kind: "string" | "name" | "number" | "mark" | "end";
  readonly line: number;
}

class LibconfigReader {
  readonly #tokens: readonly Token[];
  #at = 0;

  constructor(text: string) {
    this.#tokens = tokensOf(text);
  }

  all(): Group {
    const group = this.#group("end", 0);
    return group;
  }

  get #next(): Token {
    return this.#tokens[this.#at]!;
  }

  #isMark(text: string): boolean {
    const { kind, text: found } = this.#next;
    return kind === "mark" && found === text;
  }

  #skip(...marks: string[]): boolean {
    const isThere = marks.some((mark) => this.#isMark(mark));
    if (isThere) this.#at++;
    return isThere;
  }

  #group(close: "}" | "end", depth: number): Group {
    const { line } = this.#next;
    const settings = new Map<string, Setting>();
    const isClosed = () =>
      close === "end" ? this.#next.kind === "end" : this.#skip(close);
    while (!isClosed()) {
      const name = this.#next;
      if (name.kind !== "name") throw wrong(name);
      this.#at++;
      if (!this.#skip("=", ":")) throw wrong(this.#next);
      const value = this.#value(depth);
      if (!settings.has(name.text)) settings.set(name.text, value);
      this.#skip(";", ",");
    }
    return { line, settings };
  }

  #list(close: ")" | "]", depth: number): readonly Setting[] {
    const items: Setting[] = [];
    while (!this.#skip(close)) {
      items.push(this.#value(depth));
      if (!this.#skip(",") && !this.#isMark(close)) throw wrong(this.#next);
    }
    return items;
  }

  #value(depth: number): Setting {
    if (depth > MOST_DEPTH) throw wrong(this.#next);
    if (this.#skip("{")) return this.#group("}", depth + 1);
    if (this.#skip("(")) return this.#list(")", depth + 1);
    if (this.#skip("[")) return this.#list("]", depth + 1);
    const token = this.#next;
    this.#at++;
    switch (token.kind) {
      case "number":
        return Number(token.text.replace(/L*$/, ""));
      case "name":
        if (/^(true|false)$/i.test(token.text)) return /^t/i.test(token.text);
        throw wrong(token);
      case "string": {
        let whole = unquoted(token.text);
        while (this.#next.kind === "string") {
          whole += unquoted(this.#next.text);
          this.#at++;
        }
        return whole;
      }
      default:
        throw wrong(token);
    }
  }
}

function tokensOf(text: string): Token[] {
  const tokens: Token[] = [];
  let line = 1;
  let at = 0;
  while (at < text.length) {
    TOKEN.lastIndex = at;
    const match = TOKEN.exec(text);
    if (match === null) {
      throw wrong({ text: text[at]!, kind: "mark", line });
    }
    const [whole, string, name, number, mark] = match;
    const kind = string ? "string" : name ? "name" : number ? "number" : "mark";
    if (string ?? name ?? number ?? mark) {
      tokens.push({ text: whole, kind, line });
    }
    line += whole.split("\n").length - 1;
    at += whole.length;
  }
  tokens.push({ text: "the end", kind: "end", line });
  return tokens;
}

function unquoted(text: string): string {
  return text.slice(1, -1).replaceAll(
    /\\(x[\da-fA-F]{2}|[^])/g,
    (_, code: string) =>
      code.length === 3
        ? String.fromCharCode(parseInt(code.slice(1), 16))
        : { n: "\n", r: "\r", t: "\t", f: "\f" }[code] ?? code,
  );
}

function wrong({ text, line }: Token): SyntaxError {
  return new SyntaxError(
    `${text} stands where it cannot (libconfig)`,
    { cause: line },
  );
}
