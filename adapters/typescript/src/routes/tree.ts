import { type CompiledRoute, takes } from "./route.js";
import type { Segment, Template } from "./template.js";

/** Finds the first route that matches a request. Each node stands for the segments that lead to it. */
export class Tree {
  readonly #literals = new Map<string, Tree>();
  #parameter?: Tree;
  /** Routes whose template ends here, and those whose template continues with a rest, in the file's order. */
  readonly #ends: CompiledRoute[] = [];
  readonly #rests: CompiledRoute[] = [];

  /** first is the lowest index of a route in this node or below. */
  constructor(readonly first = 0) {}

  /** Adds a route. Routes have to be added in the file's order. */
  insert(route: CompiledRoute): void {
    let node: Tree = this;
    for (const segment of route.template) {
      if (segment.kind === "rest") {
        node.#rests.push(route);
        return;
      }
      node = node.#child(segment, route.index);
    }
    node.#ends.push(route);
  }

  #child(segment: Segment, index: number): Tree {
    if (segment.kind === "parameter") {
      this.#parameter ??= new Tree(index);
      return this.#parameter;
    }
    let child = this.#literals.get(segment.text);
    if (!child) {
      child = new Tree(index);
      this.#literals.set(segment.text, child);
    }
    return child;
  }

  /** The first route that matches the segments of a path from i on: best, or one before it. */
  find(segments: readonly string[], host: string, method: string, i = 0, best?: CompiledRoute): CompiledRoute | undefined {
    if (best && best.index < this.first) {
      return best;
    }
    const part = segments[i];
    if (part === undefined) {
      return earliest(this.#ends, host, method, best);
    }
    let found = earliest(this.#rests, host, method, best);
    found = this.#literals.get(part)?.find(segments, host, method, i + 1, found) ?? found;
    if (part !== "") {
      found = this.#parameter?.find(segments, host, method, i + 1, found) ?? found;
    }
    return found;
  }

  /** Calls visit for each route whose template matches every path that the template matches. */
  covering(template: Template, visit: (route: CompiledRoute) => void): void {
    const [first, ...rest] = template;
    if (!first) {
      this.#ends.forEach(visit);
      return;
    }
    this.#rests.forEach(visit);
    if (first.kind === "literal") {
      this.#literals.get(first.text)?.covering(rest, visit);
    }
    if (first.kind === "parameter" || (first.kind === "literal" && first.text !== "")) {
      this.#parameter?.covering(rest, visit);
    }
  }
}

function earliest(candidates: CompiledRoute[], host: string, method: string, best?: CompiledRoute): CompiledRoute | undefined {
  for (const route of candidates) {
    if (best && route.index > best.index) {
      return best;
    }
    if (takes(route, host, method)) {
      return route;
    }
  }
  return best;
}
