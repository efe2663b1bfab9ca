import { trimBlank } from "../trim.js";
import { drawnHeader, type Fields, one, valuesOf } from "./header.js";
import { bad, Problem, unknownPerson } from "./problem.js";
import { decodeParameter, sameParameter } from "./query.js";
import type { HttpRequest } from "./request.js";
import type { Subject, TokenSettings } from "./settings.js";
import { convert } from "./value.js";

/** Verifies the token that names a person. */
export interface Verifier {
  /** Returns the claims of a token. It throws {@link KeysUnavailable} if it cannot be verified now; any other error means that it is not valid. */
  verify(token: string): Promise<Record<string, unknown>>;
}

/** It cannot be found out whether a token is valid, because the keys are not available. */
export class KeysUnavailable extends Error {
  constructor() {
    super("the keys of the issuer are not available");
    this.name = "KeysUnavailable";
  }
}

/** The person of a request, with the claims of the verified token. */
export interface Person {
  id: string;
  claims: Record<string, unknown>;
}

/** Finds out who sends a request. */
export async function personOf(request: HttpRequest, subject: Subject, verifier: Verifier | undefined): Promise<Person> {
  if (!subject.jwt) {
    return { id: proxyPerson(request, subject.header ?? ""), claims: {} };
  }
  const token = tokenOf(request.fields, subject.jwt);
  if (!verifier) {
    throw new Problem("unavailable", "It cannot be found out now who asks.", "there is no verifier of tokens");
  }
  let claims: Record<string, unknown>;
  try {
    claims = await verifier.verify(token);
  } catch (thrown) {
    if (thrown instanceof KeysUnavailable) {
      throw new Problem("unavailable", "It cannot be found out now who asks.", thrown.message);
    }
    const reason = thrown instanceof TokenError ? thrown.message : "the verifier has thrown";
    throw new Problem("unauthenticated", "The token is not valid: sign in again.", reason);
  }
  const { claim } = subject.jwt;
  const { value, problem } = convert("text", Object.hasOwn(claims, claim) ? claims[claim] : undefined);
  if (problem !== undefined) {
    throw unknownPerson(`The claim ${claim} of the token ${problem}: it has to name the person.`);
  }
  return { id: value as string, claims };
}

/** Says why a token is not valid, without quoting it. */
export class TokenError extends Error {
  constructor(message: string) {
    super(message);
    this.name = "TokenError";
  }
}

/** Refuses a request for a public route that names a person, and does not come from the proxy: the application may believe it. */
export function checkUnasked(request: HttpRequest, subject: Subject): void {
  if (subject.header && one(request.fields, subject.header) !== undefined && request.fromProxy?.() !== true) {
    throw bad(`The request has the header ${subject.header}, which only the proxy may set: leave it out.`);
  }
}

function proxyPerson(request: HttpRequest, header: string): string {
  if (request.fromProxy?.() !== true) {
    throw unknownPerson(`Nobody has said who asks: the header ${header} counts only if it comes from the proxy.`);
  }
  const id = drawnHeader(request.fields, header);
  if (id === undefined) {
    throw unknownPerson("Nobody is signed in.");
  }
  const { problem } = convert("text", id);
  if (problem !== undefined) {
    throw bad(`The header ${header} ${problem}.`);
  }
  return id;
}

function tokenOf(fields: Fields, settings: TokenSettings): string {
  if (settings.cookie !== undefined) {
    return cookieOf(fields, settings.cookie);
  }
  const credentials = one(fields, "Authorization") ?? "";
  const space = credentials.indexOf(" ");
  if (credentials.slice(0, Math.max(space, 0)).toLowerCase() !== "bearer") {
    throw unknownPerson("Nobody is signed in: send a token in the Authorization header, as Bearer.");
  }
  return checkToken(credentials.slice(space + 1));
}

/** The value of a cookie, which has to be there once. HTTP/2 may split cookies over several fields. */
function cookieOf(fields: Fields, name: string): string {
  let token: string | undefined;
  for (const pair of valuesOf(fields, "cookie").flatMap((line) => line.split(";"))) {
    const equals = pair.indexOf("=");
    const key = trimBlank(equals < 0 ? pair : pair.slice(0, equals));
    if (!sameParameter(decodeParameter(key), name)) {
      continue;
    }
    if (token !== undefined || key !== name) {
      throw bad(`The cookie ${name} is there twice or in another spelling: send it once.`);
    }
    token = trimBlank(equals < 0 ? "" : pair.slice(equals + 1));
  }
  if (token === undefined) {
    throw unknownPerson(`Nobody is signed in: send the cookie ${name}.`);
  }
  return checkToken(token);
}

/** Requires the characters of tokens (RFC 6750, section 2.1). */
function checkToken(token: string): string {
  if (!/^[A-Za-z0-9\-._~+/=]+$/.test(token)) {
    throw unknownPerson("The token is not valid: sign in again.");
  }
  return token;
}
