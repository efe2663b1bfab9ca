import { decodeUtf8, isObject } from "../json.js";
import { trim } from "../trim.js";
import { type Fields, one } from "./header.js";
import { bad } from "./problem.js";
import { percentDecode } from "./target.js";
import { hasControl } from "./value.js";

/** With this parameter, some frameworks override the method of the request. */
export const methodParameter = "_method";

/**
 * The value of a query parameter; undefined if the query does not have it. A second one is refused, and so is one that only some
 * programs take for it. The query has to have passed {@link checkQuery}.
 */
export function parameter(query: string, name: string): string | undefined {
  let value: string | undefined;
  for (const pair of query.split("&")) {
    const equals = pair.indexOf("=");
    const key = equals < 0 ? pair : pair.slice(0, equals);
    const raw = equals < 0 ? "" : pair.slice(equals + 1);
    if (!sameParameter(decodeParameter(key), name)) {
      continue;
    }
    if (value !== undefined) {
      throw bad(`The query parameter ${name} is there twice: send it once.`);
    }
    if (decodeParameter(key) !== name || key.includes("+")) {
      throw bad(`The query parameter ${name} is there in another spelling: send it as ${name}.`);
    }
    if (raw.includes("+")) {
      throw bad(`The query parameter ${name} has a plus sign: send %20 for a space or %2B for a plus sign.`);
    }
    if (raw === "") {
      throw bad(`The query parameter ${name} is empty: send a value, or leave it out.`);
    }
    value = decodeParameter(raw);
  }
  return value;
}

/** Refuses a query that programs could read in different ways. */
export function checkQuery(query: string): void {
  if (query.includes(";")) {
    throw bad("The query has a semicolon: programs disagree on whether a parameter begins there. Send %3B.");
  }
  const bytes = percentDecode(query);
  if (bytes === undefined) {
    throw bad("The query has a percent sign without two hexadecimal digits after it: encode characters as %XX.");
  }
  const decoded = decodeUtf8(bytes);
  if (decoded === undefined) {
    throw bad("The query is not valid UTF-8 after decoding: percent-encode characters as UTF-8.");
  }
  if (hasControl(decoded)) {
    throw bad("The query has an encoded control character.");
  }
}

/** Refuses a form beside a drawn query parameter: many frameworks merge form fields with query parameters, whatever the method. */
export function checkNoForm(fields: Fields): void {
  const type = (one(fields, "Content-Type") ?? "").replace(/^[ \t]+/, "").toLowerCase();
  if (type.startsWith("application/x-www-form-urlencoded") || type.startsWith("multipart/")) {
    throw bad("The request has a form, whose fields some programs take for parameters of the query: send them in one place.");
  }
}

/** Refuses a JSON body with a member that is named like a drawn query parameter: some frameworks merge those too. */
export function checkMembers(body: unknown, drawn: readonly string[]): void {
  for (const member of isObject(body) ? Object.keys(body) : []) {
    const name = drawn.find((name) => sameParameter(member, name));
    if (name !== undefined) {
      throw bad(`The body has a member with the name of the query parameter ${name}: send one of them.`);
    }
  }
}

/** Reports whether a query has a parameter with which some frameworks override the method. */
export function overridesMethod(query: string): boolean {
  return query
    .split(/[&;]/)
    .some((pair) => pair !== "" && sameParameter(decodeParameter(pair.split("=", 1)[0] as string), methodParameter));
}

/** Decodes a name or a value of a query. If an encoding is not valid, it decodes only plus signs. */
export function decodeParameter(text: string): string {
  const spaced = text.replaceAll("+", " ");
  const bytes = spaced.includes("%") ? percentDecode(spaced) : undefined;
  return bytes === undefined ? spaced : (decodeUtf8(bytes) ?? bytes.toString("latin1"));
}

/**
 * Reports whether some program takes a parameter for the one of that name: ignoring case; with PHP's underscore for a dot, a space
 * or a bracket; as an array or an object (name[], name[x], [name]); or with spaces around it.
 */
export function sameParameter(received: string, name: string): boolean {
  const trimmed = trim(received, " ");
  if (fold(trimmed) === fold(name)) {
    return true;
  }
  const unbracketed = trimmed.replace(/^[[ ]+/, "");
  const bracket = unbracketed.search(/[[\]\0]/);
  return bracket > 0 && fold(unbracketed.slice(0, bracket)) === fold(name);
}

function fold(text: string): string {
  return foldCase(text).replace(/[. [+]/g, "_");
}

/** A text in which letters that differ only by case are the same. */
export function foldCase(text: string): string {
  return text.toUpperCase().toLowerCase();
}
