import { isObject, JsonError, parseValue } from "../json.js";
import { trimBlank } from "../trim.js";
import { type Fields, one } from "./header.js";
import { bad, Problem } from "./problem.js";
import { foldCase } from "./query.js";

/** The maximum length in bytes of a body that a question draws from. */
export const maxBody = 64 << 10;

/** Returns the whole body; undefined if it is longer than the limit. */
export type ReadBody = (limit: number) => Promise<Uint8Array | undefined>;

/** Reads and parses a body. ok is false if it is empty. */
export async function readBody(read: ReadBody | undefined, fields: Fields): Promise<{ body: unknown; ok: boolean }> {
  if (!read) {
    throw new Problem("unavailable", "The question needs the body of the request, which is not available here.");
  }
  let bytes: Uint8Array | undefined;
  try {
    bytes = await read(maxBody);
  } catch {
    throw bad("The body could not be read completely: send it again.");
  }
  if (bytes === undefined || bytes.length > maxBody) {
    throw bad("The body is too long: send at most 64 KiB.");
  }
  if (bytes.length === 0) {
    return { body: undefined, ok: false };
  }
  checkContentHeaders(fields);
  try {
    return { body: parseValue(bytes, true), ok: true };
  } catch (thrown) {
    throw bad(thrown instanceof JsonError ? thrown.message : "The body is not valid JSON.");
  }
}

/** Reports whether a Content-Type is JSON in UTF-8. A semicolon may be the last character. */
function isJson(contentType: string): boolean {
  const semicolon = contentType.indexOf(";");
  const type = semicolon < 0 ? contentType : contentType.slice(0, semicolon);
  const rest = semicolon < 0 ? "" : trimBlank(contentType.slice(semicolon + 1));
  const parameter = rest.endsWith(";") ? trimBlank(rest.slice(0, -1)) : rest;
  return /^application\/json$/i.test(trimBlank(type)) && (rest === "" || /^charset=(?:"utf-8"|utf-8)$/i.test(parameter));
}

/** Requires a body of uncompressed JSON in UTF-8. */
function checkContentHeaders(fields: Fields): void {
  const type = one(fields, "Content-Type") ?? "";
  if (one(fields, "Content-Encoding")) {
    throw bad("The body is encoded (Content-Encoding): send it as it is.");
  }
  if (!isJson(type)) {
    throw bad("The body is not JSON by its Content-Type: send application/json.");
  }
}

/**
 * Follows a JSON pointer. Null counts as absent. A member whose name differs from the wanted one only by case is refused, because
 * some programs take it for that one.
 */
export function lookUp(body: unknown, pointer: readonly string[]): unknown {
  let at = body;
  for (const token of pointer) {
    if (isObject(at)) {
      if (Object.keys(at).some((name) => name !== token && foldCase(name) === foldCase(token))) {
        throw bad(`The body has the member ${token} in another spelling: send it as ${token}.`);
      }
      at = Object.hasOwn(at, token) ? at[token] : undefined;
    } else {
      at = Array.isArray(at) && /^(?:0|[1-9][0-9]*)$/.test(token) ? at[Number(token)] : undefined;
    }
  }
  return at ?? undefined;
}

/** The tokens of a JSON pointer that is not empty (RFC 6901); undefined if it is malformed. */
export function parsePointer(text: string): string[] | undefined {
  if (!text.startsWith("/") || /~(?![01])/.test(text)) {
    return undefined;
  }
  return text
    .slice(1)
    .split("/")
    .map((token) => token.replaceAll("~1", "/").replaceAll("~0", "~"));
}
