import { hasLoneSurrogate } from "../json.js";
import { maxName } from "../question.js";

/** Where a value comes from; "file" is a literal. */
export type Source = "file" | "path" | "query" | "header" | "claim" | "body";

/** The keys of a reference. */
export const sources = ["path", "query", "header", "claim", "body"] as const;

/** What a value has to be. */
export type Form = "any" | "text" | "boolean";

/** A literal or a reference. */
export interface Value {
  source: Source;
  literal?: unknown;
  /** Of the parameter, the header or the claim, or the JSON pointer. */
  name: string;
  /** The decoded tokens of the JSON pointer. */
  pointer: string[];
  /** Of the template, for a parameter of the path. */
  segment: number;
  optional: boolean;
}

/** A named value. */
export interface Member {
  name: string;
  value: Value;
}

/** Converts a drawn value to the form that its place needs. problem says what is wrong with it. */
export function convert(form: Form, value: unknown): { value?: unknown; problem?: string } {
  switch (form) {
    case "text":
      return convertText(value);
    case "boolean":
      if (value === true || value === "true") {
        return { value: true };
      }
      return value === false || value === "false" ? { value: false } : { problem: "is neither true nor false" };
  }
  return { value };
}

function convertText(value: unknown): { value?: string; problem?: string } {
  const text = textOf(value);
  if (text === undefined) {
    return { problem: "is not a text" };
  }
  if (text === "") {
    return { problem: "is empty" };
  }
  if (Buffer.byteLength(text) > maxName) {
    return { problem: `is longer than ${maxName} bytes` };
  }
  if (hasControl(text)) {
    return { problem: "has control characters" };
  }
  if (/^[\p{White_Space}\p{Cf}]|[\p{White_Space}\p{Cf}]$/u.test(text)) {
    return { problem: "has spaces around it" }; // many frameworks trim what they receive
  }
  return { value: text };
}

/** A text, or the digits of a whole number that every program reads alike. */
function textOf(value: unknown): string | undefined {
  if (typeof value === "string") {
    return value;
  }
  return typeof value === "number" && Number.isSafeInteger(value) ? String(value) : undefined;
}

/** Reports whether a text has a control character (C0, DEL or C1) or half a character. */
export function hasControl(text: string): boolean {
  return /\p{Cc}/u.test(text) || hasLoneSurrogate(text);
}
