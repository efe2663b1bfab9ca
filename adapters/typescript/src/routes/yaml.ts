// The part of YAML that route files are written in: mappings and lists, as blocks or in flow style, with plain and quoted scalars
// on one line, and comments. Anchors, aliases, tags, block scalars and further documents are faults, and so is whatever programs
// read in different ways.

import { RouteFileError } from "./fault.js";

/** A place in a file. */
interface Place {
  line: number;
  column: number;
}

/** An entry of a mapping. */
export interface Entry {
  key: Scalar;
  value: Node;
}

export type ScalarKind = "text" | "number" | "boolean" | "null" | "other";

/** A scalar. Of kind "other" are plain ones that YAML gives another type, such as dates. */
export interface Scalar extends Place {
  type: "scalar";
  kind: ScalarKind;
  value: string;
}

export interface Mapping extends Place {
  type: "mapping";
  entries: Entry[];
}

export interface List extends Place {
  type: "list";
  elements: Node[];
}

export type Node = Scalar | Mapping | List;

const maxDepth = 32;

/** Parses a file. It throws a {@link RouteFileError}. */
export function parseYaml(text: string): Node {
  return new Parser(text).document();
}

/** A line that is neither blank nor a comment. */
interface Line {
  number: number;
  indent: number;
  text: string;
}

class Parser {
  readonly #lines: Line[] = [];
  #at = 0; // of the lines
  #column = 0; // in the line, from 0
  #depth = 0;

  constructor(text: string) {
    if (/[^\t\n\r\x20-\x7e\u0085\u00a0-\ud7ff\ue000-\ufffd\u{10000}-\u{10ffff}]/u.test(text) || text.startsWith("\ufeff")) {
      throw new RouteFileError([
        { line: 1, column: 1, message: "this is not YAML: the file has control characters or is not UTF-8" },
      ]);
    }
    for (const [index, raw] of text.split(/\r\n|\n|\r/).entries()) {
      const indent = raw.length - raw.trimStart().length;
      if (raw.trim() === "" || raw[indent] === "#") {
        continue;
      }
      const line = { number: index + 1, indent, text: raw.trimEnd() };
      if (raw.slice(0, indent).includes("\t")) {
        this.#fail("a line is indented with a tab: use spaces", { line: line.number, column: 1 });
      }
      this.#lines.push(line);
    }
    if (this.#lines[0]?.text.replace(/\s+#.*$/, "") === "---") {
      this.#lines.shift();
    }
  }

  document(): Node {
    const first = this.#lines[0];
    if (!first) {
      throw new RouteFileError([{ line: 1, column: 1, message: "the file is empty: begin it with version: 1" }]);
    }
    this.#column = first.indent;
    const node = this.#block(0);
    const rest = this.#lines[this.#at];
    if (rest) {
      const message = /^(---|\.\.\.)/.test(rest.text)
        ? "a second document begins: remove it"
        : "this is not YAML: the line is not indented like those before";
      this.#fail(message, { line: rest.number, column: rest.indent + 1 });
    }
    return node;
  }

  #fail(message: string, place: Place = this.#place()): never {
    throw new RouteFileError([{ ...place, message }]);
  }

  get #line(): Line {
    const line = this.#lines[this.#at];
    if (!line) {
      const last = this.#lines.at(-1);
      return this.#fail("this is not YAML: the file ends too early", {
        line: last?.number ?? 1,
        column: (last?.text.length ?? 0) + 1,
      });
    }
    return line;
  }

  #place(): Place {
    return { line: this.#lines[this.#at]?.number ?? 1, column: this.#column + 1 };
  }

  /** What is left of the line. */
  get #rest(): string {
    return this.#line.text.slice(this.#column);
  }

  #nextLine(): void {
    this.#at++;
    this.#column = this.#lines[this.#at]?.indent ?? 0;
  }

  /** Moves beyond spaces and a comment, to the next line if nothing else is left. Reports whether it stays on the line. */
  #more(): boolean {
    const spaces = /^[ \t]*/.exec(this.#rest)?.[0].length ?? 0;
    const rest = this.#rest.slice(spaces);
    if (rest === "" || (rest.startsWith("#") && (spaces > 0 || this.#column === 0))) {
      this.#nextLine();
      return false;
    }
    this.#column += spaces;
    return true;
  }

  #nested<T>(parse: () => T): T {
    if (++this.#depth > maxDepth) {
      this.#fail(`the file is nested deeper than ${maxDepth} levels: write it flatter`);
    }
    const parsed = parse();
    this.#depth--;
    return parsed;
  }

  /** Parses what begins at the column, which is at least indent. */
  #block(indent: number): Node {
    return this.#nested(() => {
      if (this.#column < indent) {
        this.#fail("this is not YAML: the line is not indented far enough");
      }
      if (this.#rest.startsWith("- ") || this.#rest === "-") {
        return this.#blockList();
      }
      if (this.#beginsEntry()) {
        return this.#blockMapping();
      }
      const node = this.#flow(false);
      this.#endOfLine();
      return node;
    });
  }

  /** Requires that nothing but a comment follows on the line. */
  #endOfLine(): void {
    if (this.#more()) {
      this.#fail("this is not YAML: something follows the value; put a text with special characters in quotes");
    }
  }

  #blockList(): List {
    const list: List = { type: "list", ...this.#place(), elements: [] };
    const column = this.#column;
    while (this.#lines[this.#at] && this.#column === column && (this.#rest.startsWith("- ") || this.#rest === "-")) {
      const place = this.#place();
      this.#column++;
      list.elements.push(this.#after(column, column + 1, place));
    }
    this.#dedented(column + 1); // at the column of the list the mapping goes on that it is in
    return list;
  }

  #blockMapping(): Mapping {
    const mapping: Mapping = { type: "mapping", ...this.#place(), entries: [] };
    const column = this.#column;
    while (this.#lines[this.#at] && this.#column === column && this.#beginsEntry()) {
      const key = this.#scalar(false);
      this.#more();
      this.#column++; // the colon
      const place = this.#place();
      // A list may stand at the column of its key.
      const value = this.#after(column, this.#listAt(column) ? column : column + 1, place);
      mapping.entries.push({ key, value });
    }
    this.#dedented(column);
    return mapping;
  }

  /** Whether the rest of the line is empty and a list begins in the next line at the column. */
  #listAt(column: number): boolean {
    const next = this.#lines[this.#at + 1];
    return /^[ \t]*(?:[ \t]#.*)?$/.test(this.#rest) && next?.indent === column && /^-(?: |$)/.test(next.text.slice(column));
  }

  /** Parses the value after a hyphen or a colon: on the line, or in the lines below that are indented to indent. */
  #after(column: number, indent: number, place: Place): Node {
    const number = this.#lines[this.#at]?.number;
    if (this.#more()) {
      if (this.#column <= column) {
        this.#fail("this is not YAML: a value is missing");
      }
      // Behind a hyphen a block begins on the same line; behind a colon it would be two entries in one line.
      if (this.#line.text[column] !== "-" && this.#beginsEntry()) {
        this.#fail("this is not YAML: a line has two colons; put a text with a colon in quotes");
      }
      return this.#block(indent);
    }
    const next = this.#lines[this.#at];
    if (!next || next.indent < indent || next.number === number) {
      return { type: "scalar", kind: "null", value: "", ...place };
    }
    return this.#block(indent);
  }

  /** Requires that the next line belongs to an outer block. */
  #dedented(column: number): void {
    if (this.#lines[this.#at] && this.#column >= column) {
      this.#fail("this is not YAML: the line is not indented like those before, or has no colon");
    }
  }

  /** Whether a key with its colon begins here. */
  #beginsEntry(): boolean {
    const rest = this.#rest;
    const key = /^(?:"(?:[^"\\]|\\.)*"|'(?:[^']|'')*')[ \t]*/.exec(rest)?.[0].length;
    if (key !== undefined) {
      return /^:(?:[ \t]|$)/.test(rest.slice(key));
    }
    if (/^[[{]/.test(rest)) {
      return false;
    }
    const uncommented = rest.replace(/[ \t]#.*$/, "");
    return /:(?:[ \t]|$)/.test(uncommented);
  }

  /** Parses a value in flow style, or a scalar. */
  #flow(inside: boolean): Node {
    return this.#nested(() => {
      switch (this.#rest[0]) {
        case "{":
          return this.#flowMapping();
        case "[":
          return this.#flowList();
      }
      return this.#scalar(inside);
    });
  }

  /** Moves to what comes next within brackets, which may be lines below. */
  #skip(): string {
    while (!this.#more()) {
      if (!this.#lines[this.#at]) {
        this.#fail("this is not YAML: a bracket is not closed");
      }
    }
    return this.#rest[0] ?? "";
  }

  #flowMapping(): Mapping {
    const mapping: Mapping = { type: "mapping", ...this.#place(), entries: [] };
    this.#column++;
    while (this.#skip() !== "}") {
      const quoted = /^["']/.test(this.#rest);
      const key = this.#scalar(true);
      if (!(quoted ? /^[ \t]*:/ : /^[ \t]*:(?:[\s,\]}]|$)/).test(this.#rest) || this.#skip() !== ":") {
        this.#fail("this is not YAML: a colon with a space after it is missing; within { } put a path with parameters in quotes");
      }
      this.#column++;
      const place = this.#place();
      const next = this.#skip();
      const empty: Scalar = { type: "scalar", kind: "null", value: "", ...place };
      mapping.entries.push({ key, value: next === "," || next === "}" ? empty : this.#flow(true) });
      this.#separator("}");
    }
    this.#column++;
    return mapping;
  }

  #flowList(): List {
    const list: List = { type: "list", ...this.#place(), elements: [] };
    this.#column++;
    while (this.#skip() !== "]") {
      list.elements.push(this.#flow(true));
      this.#separator("]");
    }
    this.#column++;
    return list;
  }

  #separator(end: string): void {
    const next = this.#skip();
    if (next === ",") {
      this.#column++;
    } else if (next !== end) {
      this.#fail(`this is not YAML: a comma or ${end} is missing; within { } put a path with parameters in quotes`);
    }
  }

  #scalar(inside: boolean): Scalar {
    const place = this.#place();
    switch (this.#rest[0]) {
      case '"':
        return this.#quoted(/^"((?:[^"\\]|\\.)*)"/, (text) =>
          text.replace(/\\(x..|u....|U.{8}|.)/g, (_, e: string) => this.#escape(e)),
        );
      case "'":
        return this.#quoted(/^'((?:[^']|'')*)'/, (text) => text.replaceAll("''", "'"));
    }
    // A colon ends a scalar where a space follows, or within brackets a bracket or a comma.
    const pattern = inside
      ? /^(?:[^,[\]{}:#\s]|:(?![\s,[\]{}]|$)|(?<!\s)#|[ \t]+(?![\s#]|:(?:[\s,[\]{}]|$)))+/
      : /^(?:[^:#\s]|:(?!\s|$)|(?<!\s)#|[ \t]+(?![\s#]|:(?:\s|$)))+/;
    const value = (pattern.exec(this.#rest)?.[0] ?? "").trimEnd();
    if (value === "") {
      this.#fail("this is not YAML: a value is missing");
    }
    if (/^[&*!|>%@`,\]}]/.test(value) || /^[?:-](?: |$)/.test(value) || value === "<<") {
      this.#fail("the value begins with a character that has a meaning in YAML: put it in quotes");
    }
    if (/^(?:---|\.\.\.)/.test(value) && this.#column === 0) {
      this.#fail("a second document begins: remove it");
    }
    this.#column += value.length;
    return { type: "scalar", kind: kindOfPlain(value), value, ...place };
  }

  #quoted(pattern: RegExp, decode: (text: string) => string): Scalar {
    const place = this.#place();
    const found = pattern.exec(this.#rest);
    if (!found) {
      this.#fail("this is not YAML: a quotation mark is not closed on its line");
    }
    const value = decode(found[1] as string);
    this.#column += found[0].length;
    return { type: "scalar", kind: "text", value, ...place };
  }

  #escape(escaped: string): string {
    const hex = /^[xuU]([0-9a-fA-F]+)$/.exec(escaped)?.[1];
    const code = hex === undefined ? Number.NaN : Number.parseInt(hex, 16);
    if (code <= 0x10ffff && !(code >= 0xd800 && code <= 0xdfff)) {
      return String.fromCodePoint(code);
    }
    const simple: Record<string, string> = { '"': '"', "\\": "\\", "/": "/", n: "\n", r: "\r", t: "\t", "0": "\0", " ": " " };
    const text = simple[escaped];
    return text ?? this.#fail(`the escape \\${escaped} is not one: write the character itself`);
  }
}

function kindOfPlain(value: string): ScalarKind {
  if (/^(?:~|null|Null|NULL)$/.test(value)) {
    return "null";
  }
  if (/^(?:true|True|TRUE|false|False|FALSE)$/.test(value)) {
    return "boolean";
  }
  if (/^-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?$/.test(value)) {
    return "number";
  }
  // Numbers that JSON does not have, infinities, and dates.
  const other =
    /^[-+]?(?:[0-9][0-9_]*(?:\.[0-9_]*)?|\.[0-9][0-9_]*)(?:[eE][-+]?[0-9]+)?$|^[-+]?0[xob][0-9a-fA-F_]+$|^[-+]?\.(?:inf|Inf|INF)$|^\.(?:nan|NaN|NAN)$|^[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}(?:$|[Tt \t])/;
  return other.test(value) ? "other" : "text";
}
