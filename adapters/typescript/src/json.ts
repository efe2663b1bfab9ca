// Strict JSON (I-JSON, RFC 7493). JSON.parse takes the last of two members with the same name, which is how a question or an
// answer is smuggled past a reader.

/** A number whose text JavaScript would not write in the same way. */
export class JsonNumber {
  constructor(readonly text: string) {}
}

/** Says what is wrong with JSON, in a sentence without any of its content. */
export class JsonError extends Error {}

const maxDepth = 64;
const maxValues = 100_000;
const maxNumber = 400;

const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** The text of bytes that must be UTF-8; undefined if they are not. */
export function decodeUtf8(bytes: Uint8Array): string | undefined {
  try {
    return utf8.decode(bytes);
  } catch {
    return undefined;
  }
}

/**
 * Parses one JSON value. With exact, a number that JavaScript would write in another way becomes a {@link JsonNumber}, so that
 * nothing is rounded unnoticed.
 */
export function parseValue(bytes: Uint8Array, exact = false): unknown {
  const text = decodeUtf8(bytes);
  if (text === undefined) {
    throw new JsonError("The body is not valid UTF-8: send JSON in UTF-8.");
  }
  return new Parser(text, exact).document();
}

/** Parses one JSON object. */
export function parseObject(bytes: Uint8Array, exact = false): Record<string, unknown> {
  const value = parseValue(bytes, exact);
  if (!isObject(value)) {
    throw new JsonError("The body is not a JSON object: send one JSON object.");
  }
  return value;
}

/** Reports whether a value is an object with members. */
export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value) && !(value instanceof JsonNumber);
}

const quote = 0x22;
const backslash = 0x5c;

class Parser {
  #at = 0;
  #depth = 0;
  #values = 0;

  constructor(
    readonly text: string,
    readonly exact: boolean,
  ) {}

  document(): unknown {
    this.#space();
    const value = this.#value();
    this.#space();
    if (this.#at < this.text.length) {
      throw new JsonError("The body continues after its JSON: send one value and nothing else.");
    }
    return value;
  }

  #invalid(): JsonError {
    return this.#at >= this.text.length
      ? new JsonError("The body ends before its JSON is complete: send the whole of it.")
      : new JsonError(`The body is not valid JSON near character ${this.#at}: send well-formed JSON.`);
  }

  #space(): void {
    for (;;) {
      const c = this.text.charCodeAt(this.#at);
      if (c !== 0x20 && c !== 0x0a && c !== 0x0d && c !== 0x09) {
        return;
      }
      this.#at++;
    }
  }

  #value(): unknown {
    if (++this.#values > maxValues) {
      throw new JsonError(`The body has too many values: send at most ${maxValues}.`);
    }
    switch (this.text[this.#at]) {
      case "{":
        return this.#nested(() => this.#object());
      case "[":
        return this.#nested(() => this.#array());
      case '"':
        return this.#string();
      case "t":
        return this.#word("true", true);
      case "f":
        return this.#word("false", false);
      case "n":
        return this.#word("null", null);
    }
    return this.#number();
  }

  #nested(parse: () => unknown): unknown {
    if (++this.#depth > maxDepth) {
      throw new JsonError(`The JSON is nested too deeply: nest objects and arrays at most ${maxDepth} levels.`);
    }
    this.#at++;
    this.#space();
    const value = parse();
    this.#depth--;
    return value;
  }

  #object(): Record<string, unknown> {
    const object: Record<string, unknown> = {};
    if (this.#takes("}")) {
      return object;
    }
    do {
      this.#space();
      if (this.text.charCodeAt(this.#at) !== quote) {
        throw this.#invalid();
      }
      const name = this.#string();
      if (Object.hasOwn(object, name)) {
        throw new JsonError("A member appears twice: send each member of an object once.");
      }
      this.#space();
      this.#must(":");
      this.#space();
      const value = this.#value();
      if (name === "__proto__") {
        Object.defineProperty(object, name, { value, enumerable: true, configurable: true, writable: true });
      } else {
        object[name] = value;
      }
      this.#space();
    } while (this.#takes(","));
    this.#must("}");
    return object;
  }

  #array(): unknown[] {
    const array: unknown[] = [];
    if (this.#takes("]")) {
      return array;
    }
    do {
      this.#space();
      array.push(this.#value());
      this.#space();
    } while (this.#takes(","));
    this.#must("]");
    return array;
  }

  #takes(c: string): boolean {
    if (this.text[this.#at] !== c) {
      return false;
    }
    this.#at++;
    return true;
  }

  #must(c: string): void {
    if (!this.#takes(c)) {
      throw this.#invalid();
    }
  }

  #word<T>(word: string, value: T): T {
    if (!this.text.startsWith(word, this.#at)) {
      throw this.#invalid();
    }
    this.#at += word.length;
    return value;
  }

  #string(): string {
    const start = ++this.#at;
    let escaped = false;
    for (; ; this.#at++) {
      const c = this.text.charCodeAt(this.#at);
      if (c === quote) {
        break;
      }
      if (!(c >= 0x20)) {
        throw this.#invalid(); // a control character, or the end
      }
      if (c === backslash) {
        escaped = true;
        this.#at++;
      }
    }
    const raw = this.text.slice(start, this.#at++);
    return escaped ? unescapeString(raw) : raw;
  }

  #number(): unknown {
    const found = numberAt(this.text, this.#at);
    if (found === "") {
      throw this.#invalid();
    }
    this.#at += found.length;
    const value = Number(found);
    const zero = value === 0 && /[1-9]/.test(found.split(/e/i)[0] as string);
    if (found.length > maxNumber || !Number.isFinite(value) || zero) {
      throw new JsonError("A number is out of range: send numbers that a 64-bit float can hold.");
    }
    return this.exact && String(value) !== found ? new JsonNumber(found) : value;
  }
}

const numberPattern = /-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?/y;

function numberAt(text: string, at: number): string {
  numberPattern.lastIndex = at;
  return numberPattern.exec(text)?.[0] ?? "";
}

function unescapeString(raw: string): string {
  let text: string;
  try {
    text = JSON.parse(`"${raw}"`) as string;
  } catch {
    throw new JsonError("A string has an invalid escape sequence: send well-formed JSON.");
  }
  if (hasLoneSurrogate(text)) {
    throw new JsonError("A string has an invalid escape sequence: send whole characters.");
  }
  return text;
}

/** Reports whether a text has half of a surrogate pair, which is not a character. */
export function hasLoneSurrogate(text: string): boolean {
  return /\p{Surrogate}/u.test(text);
}

/**
 * Returns a value in which each {@link JsonNumber} is an ordinary number. ok is false if that would change a number, which other
 * programs might read in another way.
 */
export function plain(value: unknown): { value: unknown; ok: boolean } {
  if (value instanceof JsonNumber) {
    const number = Number(value.text);
    return { value: number, ok: decimal(String(number)) === decimal(value.text) };
  }
  if (Array.isArray(value)) {
    const elements = value.map(plain);
    return { value: elements.map((e) => e.value), ok: elements.every((e) => e.ok) };
  }
  if (isObject(value)) {
    const members = Object.entries(value).map(([name, member]) => ({ name, ...plain(member) }));
    return { value: Object.fromEntries(members.map((m) => [m.name, m.value])), ok: members.every((m) => m.ok) };
  }
  return { value, ok: true };
}

/** The digits and the exponent of a number: the same text for all texts of the same number. */
function decimal(text: string): string {
  const [mantissa = "", exponent = "0"] = text.toLowerCase().split("e");
  const [whole = "", fraction = ""] = mantissa.replace("-", "").split(".");
  const digits = (whole + fraction).replace(/^0+/, "");
  const significant = digits.replace(/0+$/, "");
  if (significant === "") {
    return "0";
  }
  const sign = mantissa.startsWith("-") ? "-" : "";
  return `${sign}${significant}e${Number(exponent) - fraction.length + digits.length - significant.length}`;
}
