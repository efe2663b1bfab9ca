import { trimBlank } from "../trim.js";
import { bad } from "./problem.js";

/** The header of a request as it was received: names in any case, in order, with every repetition. */
export type Fields = readonly (readonly [name: string, value: string])[];

/** The values of a field, ignoring case. */
export function valuesOf(fields: Fields, name: string): string[] {
  return fields.filter(([key]) => key.toLowerCase() === name).map(([, value]) => value);
}

// These make some applications act on another method or path than the request's.
export const refusedHeaders = ["X-HTTP-Method-Override", "X-HTTP-Method", "X-Method-Override", "X-Original-URL", "X-Rewrite-URL"];

// In these, proxies usually name the person. They overwrite this spelling alone.
const identityHeaders = ["X-Remote-User", "Remote-User", "X-Forwarded-User"];

// Proxies act on these, so that the application may get other values than those judged.
export const undrawable = [
  "Authorization",
  "Connection",
  "Content-Length",
  "Cookie",
  "Host",
  "Proxy-Authorization",
  "TE",
  "Trailer",
  "Transfer-Encoding",
  "Upgrade",
];

const onceSpelled = [...undrawable, ...identityHeaders].map((name) => ({ name, lower: name.toLowerCase(), folded: fold(name) }));
const refusedFolded = new Map(refusedHeaders.map((name) => [fold(name), name]));

/** The prefix of the fields in which a proxy tells the application what was decided. */
export const ours = "X-Wardkeeper-";
const oursFolded = fold(ours);

function fold(name: string): string {
  return name.toLowerCase().replace(/[^a-z0-9]/g, "-");
}

/**
 * Reports whether some application could take one field for the other. It ignores case, and CGI and its successors turn whatever is
 * neither a letter nor a digit into an underscore.
 */
export function sameHeader(a: string, b: string): boolean {
  return a.length === b.length && fold(a) === fold(b);
}

/** Reports whether an application could take a field for one that only the proxy may send. */
export function isReserved(name: string): boolean {
  return fold(name).startsWith(oursFolded);
}

/** Refuses fields that could make the application take the request for another one, or for another person's. */
export function checkHeaders(fields: Fields): void {
  for (const [name, value] of fields) {
    const folded = fold(name);
    if (folded.startsWith(oursFolded)) {
      throw bad(`The request has a header that only the proxy may set: leave out those that begin with ${ours}.`);
    }
    const refused = refusedFolded.get(folded);
    if (refused !== undefined) {
      throw bad(`The request has the header ${refused}: send the request that is meant.`);
    }
    const lower = name.toLowerCase();
    const meant = onceSpelled.find((h) => h.folded === folded && h.lower !== lower);
    if (meant) {
      throw bad(`The request has the header ${meant.name} in another spelling: some programs take it for that.`);
    }
    if (lower === "connection" && value.split(",").some((o) => !connectionOptions.has(trimBlank(o).toLowerCase()))) {
      throw bad("The Connection header names a header: send close, keep-alive or upgrade."); // a proxy would drop that one
    }
    if (lower === "trailer") {
      throw bad("The request announces trailers: send all headers before the body."); // some programs merge them
    }
    if (lower === "upgrade" && value.toLowerCase().includes("h2c")) {
      throw bad("The request asks for HTTP/2 without TLS (Upgrade: h2c): what follows would not be judged.");
    }
  }
}

const connectionOptions = new Set(["", "close", "keep-alive", "upgrade", "te"]);

/** The only value of a field; undefined if the request does not have it. */
export function one(fields: Fields, name: string): string | undefined {
  const found = fields.filter(([key]) => sameHeader(key, name));
  if (found.length > 1 || found.some(([key]) => key.toLowerCase() !== name.toLowerCase())) {
    throw bad(`The header ${name} is there twice or in another spelling: send it once.`);
  }
  return found[0]?.[1];
}

/** The value of a field that a question draws from; undefined if the request does not have it. */
export function drawnHeader(fields: Fields, name: string): string | undefined {
  const value = one(fields, name);
  if (value === undefined) {
    return undefined;
  }
  if (value === "") {
    throw bad(`The header ${name} is empty: send a value, or leave it out.`);
  }
  if (value.includes(",")) {
    throw bad(`The header ${name} has a comma, as if it had been sent several times: send one value.`);
  }
  if (/[^ -~]/.test(value) || value.startsWith(" ") || value.endsWith(" ")) {
    throw bad(`The header ${name} has characters other than printable ASCII, or spaces around its value.`);
  }
  return value;
}
