import { type Fault, RouteFileError } from "./fault.js";
import { hasControl } from "./value.js";
import type { Entry, Node } from "./yaml.js";

/** Reads nodes of a file and collects what is wrong with them. */
export class Reader {
  readonly faults: Fault[] = [];

  add(node: { line: number; column: number }, message: string): void {
    this.faults.push({ line: node.line, column: node.column, message });
  }

  /** Throws the faults by position, if there are any. */
  check(): void {
    if (this.faults.length > 0) {
      throw new RouteFileError(this.faults.sort((a, b) => a.line - b.line || a.column - b.column));
    }
  }

  /** The entries of a mapping by key. Unknown and repeated keys are faults. */
  mapping(node: Node, what: string, known: readonly string[]): Map<string, Entry> | undefined {
    const entries = this.entries(node, what);
    if (!entries) {
      return undefined;
    }
    const found = new Map<string, Entry>();
    for (const entry of entries) {
      if (known.includes(entry.key.value)) {
        found.set(entry.key.value, entry);
      } else {
        this.add(entry.key, `"${entry.key.value}" is not a key of ${what}: use ${known.join(", ")}`);
      }
    }
    return found;
  }

  /** The entries of a mapping in order. A repeated key is a fault. */
  entries(node: Node, what: string): Entry[] | undefined {
    if (node.type !== "mapping") {
      this.add(node, `${what} is not a mapping: write it as keys with values`);
      return undefined;
    }
    const lines = new Map<string, number>();
    return node.entries.filter(({ key }) => {
      const line = lines.get(key.value);
      if (key.kind !== "text") {
        this.add(key, `a key of ${what} is not a text: put it in quotes if it is meant`);
        return false;
      }
      if (line !== undefined) {
        this.add(key, `"${key.value}" is there twice, first in line ${line}: remove one of them`);
        return false;
      }
      lines.set(key.value, key.line);
      return true;
    });
  }

  list(node: Node, what: string): Node[] | undefined {
    if (node.type === "list") {
      return node.elements;
    }
    this.add(node, `${what} is not a list: write it as [A, B] or as lines that begin with a hyphen`);
    return undefined;
  }

  /** A text, which must not be empty or have control characters. */
  text(node: Node, what: string): string | undefined {
    if (node.type !== "scalar") {
      this.add(node, `${what} is not a text: write one value`);
    } else if (node.kind !== "text") {
      this.add(node, `${what} is not a text: put it in quotes if it is meant`);
    } else if (node.value === "") {
      this.add(node, `${what} is empty: write a value, or remove the key`);
    } else if (hasControl(node.value)) {
      this.add(node, `${what} has a control character or is not UTF-8: remove it`);
    } else {
      return node.value;
    }
    return undefined;
  }

  boolean(node: Node, what: string): boolean | undefined {
    if (node.type === "scalar" && node.kind === "boolean") {
      return node.value.toLowerCase() === "true";
    }
    this.add(node, `${what} is neither true nor false: write one of them`);
    return undefined;
  }

  /** A literal: a text, a number or a boolean. */
  scalar(node: Node, what: string): unknown {
    if (node.type === "scalar" && node.kind === "boolean") {
      return this.boolean(node, what);
    }
    if (node.type === "scalar" && node.kind === "number") {
      const number = Number(node.value);
      if (Number.isFinite(number)) {
        return number;
      }
    }
    if (node.type === "scalar" && (node.kind === "number" || node.kind === "other")) {
      this.add(node, `${what} is a number that JSON does not have: write it in decimal, or put it in quotes`);
      return undefined;
    }
    return this.text(node, what);
  }

  /** A list of distinct texts. */
  texts(node: Node, what: string, element: string): string[] {
    const all: string[] = [];
    for (const e of this.list(node, what) ?? []) {
      const text = this.text(e, element);
      if (text !== undefined && all.includes(text)) {
        this.add(e, `"${text}" is there twice: remove one of them`);
      } else if (text !== undefined) {
        all.push(text);
      }
    }
    return all;
  }
}
