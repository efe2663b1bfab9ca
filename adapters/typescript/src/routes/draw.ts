import { plain } from "../json.js";
import type { Question } from "../question.js";
import { lookUp, readBody } from "./body.js";
import { drawnHeader } from "./header.js";
import { bad, type Problem, unknownPerson } from "./problem.js";
import { checkMembers, checkNoForm, checkQuery, parameter } from "./query.js";
import type { HttpRequest } from "./request.js";
import type { CompiledRoute } from "./route.js";
import type { Target } from "./target.js";
import { parameterOf } from "./template.js";
import { convert, type Form, type Member, type Value } from "./value.js";

/** Turns one request into a question. */
export class Drawing {
  #body: unknown;

  constructor(
    readonly request: HttpRequest,
    readonly route: CompiledRoute,
    readonly target: Target,
    readonly claims: Record<string, unknown>,
  ) {}

  /** Draws every value of the question. */
  async question(subject: string): Promise<Question> {
    const { route, request } = this;
    if (route.drawnQuery.length > 0) {
      checkQuery(this.target.query);
      checkNoForm(request.fields);
    }
    if (route.drawsBody) {
      this.#body = (await readBody(request.readBody, request.fields)).body;
      checkMembers(this.#body, route.drawnQuery);
    }
    const name = this.#draw(route.name as Value, "text") as string;
    const id = this.#draw(route.id as Value, "text") as string;
    const question: Question = {
      subject: { type: "user", id: subject },
      action: { name },
      resource: { type: route.resourceType, id },
    };
    const properties = this.#members(route.properties, "any");
    if (Object.keys(properties).length > 0) {
      question.action.properties = properties;
    }
    const about = { ...this.#members(route.resourceProperties, "any"), ...this.#members(route.places, "text") };
    if (Object.keys(about).length > 0) {
      question.resource.properties = about;
    }
    question.context = this.context();
    return question;
  }

  /** Draws what belongs to the context. */
  context(): Record<string, unknown> {
    if (this.route.context.some(({ value }) => value.source === "query")) {
      checkQuery(this.target.query);
    }
    return Object.assign({}, ...this.route.context.map((member) => this.#members([member], member.form)));
  }

  #members(members: readonly Member[], form: Form): Record<string, unknown> {
    const object: Record<string, unknown> = {};
    for (const { name, value } of members) {
      const drawn = this.#draw(value, form);
      if (drawn !== undefined) {
        Object.defineProperty(object, name, { value: drawn, enumerable: true, configurable: true, writable: true });
      }
    }
    return object;
  }

  /** Draws a value in its form; undefined if it is optional and absent. */
  #draw(value: Value, form: Form): unknown {
    if (value.source === "file") {
      return value.literal;
    }
    const found = this.#find(value);
    if (found === undefined || found === null) {
      if (value.optional) {
        return undefined;
      }
      throw faultOf(value, "is missing");
    }
    const converted = convert(form, found);
    if (converted.problem !== undefined) {
      throw faultOf(value, converted.problem);
    }
    const { value: drawn, ok } = plain(converted.value);
    if (!ok) {
      throw faultOf(value, "has a number that programs round in different ways");
    }
    return drawn;
  }

  #find(value: Value): unknown {
    switch (value.source) {
      case "path":
        return parameterOf(this.route.template, this.target.path, value.segment) || undefined;
      case "query":
        return parameter(this.target.query, value.name);
      case "header":
        return drawnHeader(this.request.fields, value.name);
      case "claim":
        return Object.hasOwn(this.claims, value.name) ? this.claims[value.name] : undefined;
    }
    return lookUp(this.#body, value.pointer);
  }
}

/** The problem of a value that is missing or malformed. */
function faultOf(value: Value, problem: string): Problem {
  switch (value.source) {
    case "path":
      return bad(`The part ${value.name} of the path ${problem}.`);
    case "query":
      return bad(`The query parameter ${value.name} ${problem}.`);
    case "header":
      return bad(`The header ${value.name} ${problem}.`);
    case "claim":
      return unknownPerson(`The claim ${value.name} of the token ${problem}.`);
  }
  return bad(`The value at ${value.name} of the body ${problem}.`);
}
