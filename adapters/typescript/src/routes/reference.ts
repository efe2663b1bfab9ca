import { maxName } from "../question.js";
import { parsePointer } from "./body.js";
import { isReserved, ours, refusedHeaders, sameHeader, undrawable } from "./header.js";
import { methodParameter, sameParameter } from "./query.js";
import type { Reader } from "./reader.js";
import type { CompiledRoute } from "./route.js";
import { indexOf } from "./template.js";
import { type Form, hasControl, type Member, sources, type Value } from "./value.js";
import type { Entry, Mapping, Node } from "./yaml.js";

/** Reads the values of questions, and records in the route what it draws from. */
export class References {
  constructor(
    readonly reader: Reader,
    /** The header in which a proxy names the person, or "". */
    readonly personHeader: string,
  ) {}

  /** Reads an object of values. */
  members(route: CompiledRoute, entry: Entry): Member[] {
    const all: Member[] = [];
    for (const pair of this.reader.entries(entry.value, entry.key.value) ?? []) {
      if (pair.key.value === "" || hasControl(pair.key.value)) {
        this.reader.add(pair.key, "the name of a property is empty or has a control character: write another one");
        continue;
      }
      const member = this.member(route, pair, "any", true);
      if (member) {
        all.push(member);
      }
    }
    return all;
  }

  /** Reads a literal or a reference. */
  member(route: CompiledRoute, entry: Entry, form: Form, mayBeOptional: boolean): Member | undefined {
    const before = this.reader.faults.length;
    const value: Value = { source: "file", name: "", pointer: [], segment: -1, optional: false };
    const member = { name: entry.key.value, value };
    if (entry.value.type === "mapping") {
      this.#reference(route, entry.value, value);
      if (value.optional && !mayBeOptional) {
        this.reader.add(entry.value, `${member.name} is in every question: remove optional`);
      }
    } else {
      value.literal = this.#literal(entry.value, member.name, form);
    }
    return this.reader.faults.length === before ? member : undefined;
  }

  #literal(node: Node, what: string, form: Form): unknown {
    if (form === "text") {
      const text = this.reader.text(node, what);
      this.checkLength(node, what, text ?? "");
      return text;
    }
    if (form === "boolean") {
      return this.reader.boolean(node, what);
    }
    if (node.type === "list") {
      return node.elements.map((element) => this.reader.scalar(element, `an element of ${what}`));
    }
    return this.reader.scalar(node, what);
  }

  checkLength(node: Node, what: string, text: string): void {
    if (Buffer.byteLength(text) > maxName) {
      this.reader.add(node, `${what} is longer than ${maxName} bytes: shorten it`);
    }
  }

  /** Reads a mapping with one source. */
  #reference(route: CompiledRoute, node: Mapping, value: Value): void {
    const before = this.reader.faults.length;
    const keys = this.reader.mapping(node, "a reference", [...sources, "optional"]);
    if (!keys || this.reader.faults.length > before) {
      return;
    }
    const optional = keys.get("optional");
    value.optional = optional ? (this.reader.boolean(optional.value, "optional") ?? false) : false;
    const [source, ...more] = sources.filter((s) => keys.has(s));
    if (source === undefined || more.length > 0) {
      this.reader.add(
        node,
        "a reference has not exactly one of path, query, header, claim and body: say in one way where the value comes from",
      );
      return;
    }
    value.source = source;
    const at = (keys.get(source) as Entry).value;
    const name = this.reader.text(at, source);
    if (name === undefined) {
      return;
    }
    value.name = name;
    switch (source) {
      case "path":
        value.segment = indexOf(route.template, name);
        if (value.segment < 0 && route.template.length > 0) {
          this.reader.add(at, `the path has no parameter ${name}: write {${name}} into it, or correct the name`);
        }
        return;
      case "query":
        this.#query(route, at, name);
        return;
      case "header":
        this.#header(route, at, name);
        return;
      case "claim":
        if (this.personHeader !== "") {
          this.reader.add(at, "there are no claims without a token: use subject.jwt, or draw the value from elsewhere");
        }
        return;
      case "body":
        this.#body(route, at, value);
    }
  }

  #body(route: CompiledRoute, node: Node, value: Value): void {
    const pointer = parsePointer(value.name);
    if (pointer) {
      value.pointer = pointer;
    } else {
      this.reader.add(node, `"${value.name}" is not a JSON pointer: write it as /role or /items/0/id`);
    }
    route.drawsBody = true;
  }

  #query(route: CompiledRoute, node: Node, name: string): void {
    if (!/^[A-Za-z0-9\-._~]+$/.test(name) || name.startsWith(".") || name.endsWith(".")) {
      this.reader.add(
        node,
        `"${name}" is not a name of a query parameter that every program reads alike: use letters, digits, hyphens, underscores and dots`,
      );
    } else if (sameParameter(methodParameter, name)) {
      this.reader.add(node, `requests with the query parameter ${methodParameter} are refused: draw the value from elsewhere`);
    } else {
      const other = route.drawnQuery.find((other) => other !== name && sameParameter(other, name));
      if (other !== undefined) {
        this.reader.add(node, `the query parameters ${other} and ${name} are the same to some programs: draw from one of them`);
        return;
      }
      route.drawnQuery.push(name);
    }
  }

  #header(route: CompiledRoute, node: Node, name: string): void {
    if (!this.checkHeaderName(node, name)) {
      return;
    }
    if (this.personHeader !== "" && sameHeader(this.personHeader, name)) {
      this.reader.add(node, `the header ${name} names the person: draw the value from elsewhere`);
    }
    const other = route.drawnHeaders.find((other) => other.toLowerCase() !== name.toLowerCase() && sameHeader(other, name));
    if (other !== undefined) {
      this.reader.add(node, `the headers ${other} and ${name} are the same to some programs: draw from one of them`);
      return;
    }
    route.drawnHeaders.push(name);
  }

  /** Checks the name of a header that the person, or a value, is drawn from. */
  checkHeaderName(node: Node, name: string): boolean {
    const same = (other: string) => sameHeader(other, name);
    if (!/^[A-Za-z0-9-]+$/.test(name)) {
      this.reader.add(node, `"${name}" is not a name of a header: use letters, digits and hyphens`);
    } else if (undrawable.some(same) || refusedHeaders.some(same)) {
      this.reader.add(node, `the header ${name} cannot be drawn from: proxies act on it, or requests with it are refused`);
    } else if (isReserved(name)) {
      this.reader.add(node, `the header ${name} cannot be drawn from: requests with a header that begins with ${ours} are refused`);
    } else if (replaced.some(same)) {
      this.reader.add(node, `the header ${name} cannot be drawn from: proxies and adapters set it themselves`);
    } else {
      return true;
    }
    return false;
  }
}

// Proxies and adapters set these themselves: they say nothing about the person or the user.
const replaced = ["X-Forwarded-Method", "X-Forwarded-Uri", "X-Forwarded-Host", "X-Request-ID"];
