import { decodeUtf8 } from "../json.js";
import { bad } from "./problem.js";

/** The maximum length of a request target in bytes. */
export const maxTarget = 8 << 10;

/** A request target in canonical form. */
export interface Target {
  /** Decoded: slashes only separate segments, and there is no backslash, percent sign, semicolon, question mark or number sign. */
  path: string;
  /** As received, without the question mark. */
  query: string;
}

/** The canonical form of a request target as received. It throws where programs could read it in different ways. */
export function parseTarget(raw: string): Target {
  if (raw.length > maxTarget) {
    throw bad("The request target is too long: send at most 8 KiB.");
  }
  if (!raw.startsWith("/")) {
    throw bad("The request target is not a path: send it in origin form, beginning with a slash.");
  }
  if (/[^!-~]/.test(raw)) {
    throw bad("The request target has a space, a control character or a character outside ASCII: percent-encode it as UTF-8.");
  }
  if (raw.includes("#")) {
    throw bad("The request target has a fragment: leave it out.");
  }
  const mark = raw.indexOf("?");
  const path = decodePath(mark < 0 ? raw : raw.slice(0, mark));
  checkSegments(path);
  return { path, query: mark < 0 ? "" : raw.slice(mark + 1) };
}

function decodePath(path: string): string {
  const strange = /[^A-Za-z0-9\-._~!$&'()*+,=:@/%]/.exec(path)?.[0];
  if (strange === ";") {
    throw bad("The path has a semicolon: programs disagree on whether a parameter begins there.");
  }
  if (strange === "\\") {
    throw bad("The path has a backslash: programs disagree on whether it is a slash.");
  }
  if (strange !== undefined) {
    throw bad("The path has a character that must be percent-encoded there.");
  }
  if (!path.includes("%")) {
    return path;
  }
  const bytes = percentDecode(path);
  if (bytes === undefined) {
    throw bad("The path has a percent sign without two hexadecimal digits after it: encode characters as %XX.");
  }
  if (/%(?:2f|5c|25|3b|3f|23)/i.test(path)) {
    throw bad(
      "The path has an encoded slash, backslash, percent sign, semicolon, question mark or number sign: programs read it in different ways.",
    );
  }
  const decoded = decodeUtf8(bytes);
  if (decoded === undefined) {
    throw bad("The path is not valid UTF-8 after decoding: percent-encode characters as UTF-8.");
  }
  return decoded;
}

/** Decodes %XX in a text of ASCII; undefined if a percent sign is not followed by two hexadecimal digits. */
export function percentDecode(text: string): Buffer | undefined {
  if (/%(?![0-9a-fA-F]{2})/.test(text)) {
    return undefined;
  }
  const decoded = text.replace(/%(..)/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)));
  return Buffer.from(decoded, "latin1");
}

// Compatibility normalization, which some programs apply to paths, turns these into text with a delimiter of paths.
const lookalike =
  /[\u037e\u2024-\u2026\u2047-\u2049\u2100\u2101\u2105\u2106\u33c2\u33c7\u33d8\ufe16\ufe14\ufe19\ufe30\ufe52\ufe54\ufe56\ufe5f\ufe68\ufe6a\uff03\uff05\uff0e\uff0f\uff1b\uff1f\uff3c\u{1f100}\u2488-\u249b]/u;

/** Refuses segments that some programs skip, resolve or shorten, and characters that some take for others. */
export function checkSegments(path: string): void {
  if (path.includes("//")) {
    throw bad("The path has an empty segment (//): send single slashes.");
  }
  for (const segment of path.split("/")) {
    if (segment === "." || segment === "..") {
      throw bad("The path has a dot segment: send the path that is meant.");
    }
    if (/[. ]$/.test(segment)) {
      throw bad("A segment of the path ends with a dot or a space: some programs drop it.");
    }
  }
  if (hasAsciiControl(path)) {
    throw bad("The path has an encoded control character.");
  }
  if (/[\u0080-\u009f\u2028\u2029]/.test(path) || lookalike.test(path)) {
    throw bad("The path has a character that some programs convert to a slash, a dot or another delimiter, or to a line break.");
  }
}

function hasAsciiControl(text: string): boolean {
  for (let i = 0; i < text.length; i++) {
    const c = text.charCodeAt(i);
    if (c < 0x20 || c === 0x7f) {
      return true;
    }
  }
  return false;
}

/** Encodes a decoded path, in one spelling for all paths that mean the same. */
export function canonicalPath(path: string): string {
  let encoded = "";
  for (const byte of Buffer.from(path)) {
    const c = String.fromCharCode(byte);
    encoded += /[A-Za-z0-9\-._~!$&'()*+,=:@/]/.test(c) ? c : `%${byte.toString(16).toUpperCase().padStart(2, "0")}`;
  }
  return encoded;
}
