import type { IncomingMessage, ServerResponse } from "node:http";
import type { Ask, Checker, Result } from "./checker.js";
import { type FromProxy, finishWhenAnswered, fromNode, originalTarget, passed, refuse } from "./node.js";
import { answerOffers } from "./offers.js";
import { unavailable } from "./refusal.js";
import { remember } from "./results.js";
import type { HttpRequest } from "./routes/request.js";

export { resultOf } from "./results.js";

/** A request of Express, or of another framework on node:http with this form of middleware. */
export interface ExpressRequest extends IncomingMessage {
  originalUrl?: string;
  baseUrl?: string;
}

/** Goes on to the next middleware, or with an error to the error handler. */
export type Next = (error?: unknown) => void;
/** Middleware of Express, and of other frameworks on node:http. */
export type Middleware<R> = (request: R, response: ServerResponse, next: Next) => void;

/** The settings of {@link protect}. */
export interface ProtectOptions<R> {
  /** Only a request from an authenticated proxy may name the person in a header. Default: none comes from there. */
  fromProxy?: FromProxy<R>;
}

/**
 * Middleware that judges every request by the route file. It belongs before whatever reads the request or changes its path:
 * app.use(protect(checker)).
 */
export function protect<R extends ExpressRequest = ExpressRequest>(
  checker: Checker,
  options: ProtectOptions<R> = {},
): Middleware<R> {
  return guard(checker, (request) => {
    const received = receivedOf(request, options);
    return isRewritten(request) ? Promise.resolve(rewritten(checker, received)) : checker.check(received);
  });
}

/**
 * Middleware that judges a request by a question in code: app.delete("/users/:id", asks(checker, (request) => ...), handler). It takes
 * the person from the question, or from an earlier check of the request.
 */
export function asks<R extends ExpressRequest = ExpressRequest>(
  checker: Checker,
  ask: (request: R) => Ask | Promise<Ask>,
): Middleware<R> {
  return guard(checker, (request) => checker.ask(fromNode(request), () => ask(request), passed(request)));
}

/** Answers what useCan asks: which of some actions the person may do. It has to be reached without {@link protect}, and finds out itself who asks. */
export function offers<R extends ExpressRequest = ExpressRequest>(
  checker: Checker,
  options: ProtectOptions<R> = {},
): Middleware<R> {
  return (request, response, next) => {
    answerOffers(checker, receivedOf(request, options))
      .then(({ result, answer }) => {
        if (!answer) {
          refuse(checker, result, request, response);
          return;
        }
        response.writeHead(200, { ...answer.headers, "Content-Length": String(Buffer.byteLength(answer.body)) });
        response.end(answer.body);
      })
      .catch((error: unknown) => next(asError(error)));
  };
}

function guard<R extends ExpressRequest>(checker: Checker, check: (request: R) => Promise<Result>): Middleware<R> {
  return (request, response, next) => {
    Promise.resolve()
      .then(() => check(request))
      .then((result) => {
        if (!result.pass) {
          refuse(checker, result, request, response);
          return;
        }
        if (result.path !== undefined && !spell(request, result.path)) {
          refuse(checker, rewritten(checker, fromNode(request), result), request, response);
          return;
        }
        remember(result, request);
        finishWhenAnswered(checker, result, response);
        next();
      })
      .catch((error: unknown) => next(asError(error)));
  };
}

function receivedOf<R extends ExpressRequest>(request: R, { fromProxy }: ProtectOptions<R>): HttpRequest {
  return { ...fromNode(request, () => fromProxy?.(request) === true), target: originalTarget(request) };
}

/** Whether the application would route by another target than the one that was received. */
function isRewritten({ originalUrl, baseUrl = "", url = "" }: ExpressRequest): boolean {
  return originalUrl !== undefined && originalUrl !== baseUrl + url && originalUrl !== baseUrl + url.slice(1);
}

function rewritten(checker: Checker, request: HttpRequest, before?: Result): Result {
  return checker.refuse(
    request,
    unavailable(),
    "the application would route by another path than the one that was received",
    before,
  );
}

/** Express takes nothing, "route" and "router" for reasons to go on. */
function asError(thrown: unknown): Error {
  return thrown instanceof Error ? thrown : new Error("the check has thrown what is not an error");
}

/**
 * Has the framework route by the path that was judged: it takes "/%75sers" for another path than "/users". It fails if that path is
 * not beneath the one at which the middleware is mounted, as it is spelled.
 */
function spell(request: ExpressRequest, path: string): boolean {
  const target = originalTarget(request);
  const mark = target.indexOf("?");
  if (path === (mark < 0 ? target : target.slice(0, mark))) {
    return true;
  }
  const mount = request.baseUrl ?? "";
  if (!path.startsWith(`${mount}/`)) {
    return false;
  }
  request.url = path.slice(mount.length) + (mark < 0 ? "" : target.slice(mark));
  return true;
}
