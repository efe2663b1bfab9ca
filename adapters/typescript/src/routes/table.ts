import { readFileSync } from "node:fs";
import { decodeUtf8 } from "../json.js";
import type { Question } from "../question.js";
import { Drawing } from "./draw.js";
import { RouteFileError } from "./fault.js";
import { checkHeaders, valuesOf } from "./header.js";
import { canonicalHost } from "./host.js";
import { isMethod, parseRoutes, type RouteFile } from "./parse.js";
import { checkUnasked, type Person, personOf, type Verifier } from "./person.js";
import { bad } from "./problem.js";
import { methodParameter, overridesMethod } from "./query.js";
import type { HttpRequest } from "./request.js";
import type { CompiledRoute, Route } from "./route.js";
import type { Subject } from "./settings.js";
import { canonicalPath, parseTarget, type Target } from "./target.js";

/** What a request means by a route file. */
export type Resolution =
  | { outcome: "no_route"; path: string }
  | { outcome: "public"; path: string; route: Route }
  | { outcome: "question"; path: string; route: Route; question: Question };

/** The parts of a context that all questions about a request have. What a person has confirmed is not one: that was for one question. */
export const sharedContext: readonly string[] = ["current_location", "at_least"];

/** A parsed route file. */
export class RouteTable {
  readonly #file: RouteFile;

  private constructor(file: RouteFile) {
    this.#file = file;
  }

  /** Parses the text of a route file. It throws a {@link RouteFileError} with every fault. */
  static parse(text: string): RouteTable {
    return new RouteTable(parseRoutes(text));
  }

  /** Reads a route file. */
  static load(path: string): RouteTable {
    const text = decodeUtf8(readFileSync(path));
    if (text === undefined) {
      throw new RouteFileError([
        { line: 1, column: 1, message: "this is not YAML: the file has control characters or is not UTF-8" },
      ]);
    }
    return RouteTable.parse(text);
  }

  /** The routes in the file's order. */
  get routes(): Route[] {
    return this.#file.routes.map(describe);
  }

  get subject(): Subject {
    return this.#file.subject;
  }

  /** The kinds of obligation that the file names: types, and custom/ACTION. */
  get supportedObligations(): string[] {
    return [...this.#file.supportedObligations];
  }

  /**
   * Finds out what a request means. It throws a Problem where the request has to be refused. known is told the route as soon as it
   * is found, for the log.
   */
  async resolve(request: HttpRequest, verifier?: Verifier, known: (route: Route) => void = () => {}): Promise<Resolution> {
    const { target, host } = accept(request);
    const path = canonicalPath(target.path);
    const found = this.#file.tree.find(target.path.slice(1).split("/"), host, request.method);
    if (!found) {
      return { outcome: "no_route", path };
    }
    const route = describe(found);
    known(route);
    if (found.public) {
      checkUnasked(request, this.#file.subject);
      return { outcome: "public", path, route };
    }
    const person = await personOf(request, this.#file.subject, verifier);
    const question = await new Drawing(request, found, target, person.claims).question(person.id);
    return { outcome: "question", path, route, question };
  }

  /** Finds out who sends a request, and the context that all questions of the person have, without asking one. */
  async person(request: HttpRequest, verifier?: Verifier): Promise<Person & { context: Record<string, unknown> }> {
    const { target } = accept(request);
    const person = await personOf(request, this.#file.subject, verifier);
    const context = this.#file.defaults.filter(({ name }) => sharedContext.includes(name));
    const asked: CompiledRoute = { ...(this.#file.routes[0] as CompiledRoute), context };
    return { ...person, context: new Drawing(request, asked, target, person.claims).context() };
  }
}

/** Refuses a request that programs could read in different ways. */
function accept(request: HttpRequest): { target: Target; host: string } {
  if (!isMethod(request.method)) {
    throw bad("The method is not a word of upper-case letters: send one such as GET.");
  }
  if (request.method === "TRACE" || request.method === "CONNECT") {
    throw bad("The method is TRACE or CONNECT, which is never served here: send another one.");
  }
  const target = parseTarget(request.target);
  const host = canonicalHost(valuesOf(request.fields, "host"));
  checkHeaders(request.fields);
  if (overridesMethod(target.query)) {
    throw bad(`The query has the parameter ${methodParameter}: send the method that is meant.`);
  }
  return { target, host };
}

function describe({ line, path, host, methods, public: isPublic, action, drawsBody }: CompiledRoute): Route {
  return { line, path, host, methods: [...methods], public: isPublic, action, drawsBody };
}
