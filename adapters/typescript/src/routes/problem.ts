/** What an unresolved request is answered with. */
export type ProblemKind = "bad_request" | "unauthenticated" | "unavailable";

/**
 * Says why a request could not be resolved. The message is one sentence that may be sent to the client: it has names of the route
 * file, but no value of the request. reason is for the log.
 */
export class Problem extends Error {
  constructor(
    readonly kind: ProblemKind,
    message: string,
    readonly reason?: string,
  ) {
    super(message);
    this.name = "Problem";
  }
}

/** The problem of a request that is ambiguous, or lacks a value. */
export function bad(message: string): Problem {
  return new Problem("bad_request", message);
}

/** The problem of a request whose person is not known. */
export function unknownPerson(message: string): Problem {
  return new Problem("unauthenticated", message);
}
