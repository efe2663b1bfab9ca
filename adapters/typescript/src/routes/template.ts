import { checkSegments, maxTarget } from "./target.js";

const maxSegments = 64;

/** A segment of a path template: a text, {name} for one segment that is not empty, or {name...} for the rest of the path. */
export interface Segment {
  kind: "literal" | "parameter" | "rest";
  text: string;
}

export type Template = readonly Segment[];

/** Parses a path template such as /users/{id}/files/{path...}. It throws an Error that says what is wrong. */
export function parseTemplate(text: string): Template {
  if (!text.startsWith("/")) {
    throw new Error(`path "${text}" does not begin with a slash: write it as /users/{id}`);
  }
  if (Buffer.byteLength(text) > maxTarget) {
    throw new Error(`path is longer than ${maxTarget} bytes: shorten it`);
  }
  const parts = text.slice(1).split("/");
  if (parts.length > maxSegments) {
    throw new Error(`path has more than ${maxSegments} segments: shorten it`);
  }
  const template: Segment[] = [];
  for (const [i, part] of parts.entries()) {
    const segment = parseSegment(part, text);
    if (segment.kind === "rest" && i < parts.length - 1) {
      throw new Error(`path "${text}": {${segment.text}...} takes the rest of a path: make it the last segment`);
    }
    if (segment.kind !== "literal" && indexOf(template, segment.text) >= 0) {
      throw new Error(`path "${text}": the parameter ${segment.text} is there twice: rename one of them`);
    }
    template.push(segment);
  }
  try {
    checkSegments(`/${template.map((s) => (s.kind === "literal" ? s.text : "x")).join("/")}`);
  } catch (thrown) {
    const message = (thrown as Error).message;
    const why = message[0]?.toLowerCase() + message.slice(1).replace(/\.$/, "");
    throw new Error(`path "${text}" matches no request, because such requests are refused: ${why}`);
  }
  return template;
}

function parseSegment(part: string, path: string): Segment {
  const parameter = /^\{(.*?)(\.\.\.)?\}$/.exec(part);
  if (parameter) {
    const [, name = "", rest] = parameter;
    if (!/^[A-Za-z_][A-Za-z0-9_]*$/.test(name)) {
      throw new Error(`path "${path}": {${name}} is not a parameter: name it with letters, digits and underscores`);
    }
    return { kind: rest ? "rest" : "parameter", text: name };
  }
  const strange = /[{}%;?#\\]/.exec(part)?.[0];
  switch (strange) {
    case undefined:
      return { kind: "literal", text: part };
    case "{":
    case "}":
      throw new Error(`path "${path}": a parameter is a whole segment: put slashes around it`);
    case "%":
      throw new Error(`path "${path}": it has a percent sign: write the character itself that is meant`);
  }
  throw new Error(`path "${path}": it has "${strange}", which no accepted request has in its path: remove it`);
}

/** The index of the segment with a parameter, or -1. */
export function indexOf(template: Template, parameter: string): number {
  return template.findIndex((s) => s.kind !== "literal" && s.text === parameter);
}

/** The value of segment i in a matching path; for a rest, all that follows. */
export function parameterOf(template: Template, path: string, i: number): string {
  const parts = path.slice(1).split("/");
  return template[i]?.kind === "rest" ? parts.slice(i).join("/") : (parts[i] ?? "");
}

/** A text that two templates share if they differ at most in the names of their parameters. */
export function shapeOf(template: Template): string {
  return template.map((s) => ({ literal: `/${s.text}`, parameter: "/{}", rest: "/{...}" })[s.kind]).join("");
}
