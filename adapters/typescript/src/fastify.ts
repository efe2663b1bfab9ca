import type { FastifyInstance, FastifyReply, FastifyRequest, onRequestAsyncHookHandler } from "fastify";
import type { Ask, Checker, Result } from "./checker.js";
import { type FromProxy, finishWhenAnswered, fromNode, passed } from "./node.js";
import { answerOffers } from "./offers.js";
import { badRequest, respond, unavailable } from "./refusal.js";
import { remember } from "./results.js";
import { newTrace } from "./trace.js";

export { resultOf } from "./results.js";

/** The settings of {@link protect}. */
export interface ProtectOptions {
  checker: Checker;
  /** Only a request from an authenticated proxy may name the person in a header. Default: none comes from there. */
  fromProxy?: FromProxy<FastifyRequest>;
}

/** A hook that judges every request by the route file: app.addHook("onRequest", protect({ checker })), before all routes. */
export function protect({ checker, fromProxy }: ProtectOptions): onRequestAsyncHookHandler {
  return async (request, reply) => {
    const received = fromNode(request.raw, () => fromProxy?.(request) === true);
    const result =
      request.originalUrl === request.raw.url
        ? await checker.check(received)
        : checker.refuse(received, unavailable(), "the application would route by another path than the one that was received");
    return pass(checker, result, request, reply);
  };
}

/**
 * A hook that judges a request by a question in code: app.delete("/users/:id", { preHandler: asks(checker, (request) => ...) }, handler).
 * It takes the person from the question, or from an earlier check of the request.
 */
export function asks(checker: Checker, ask: (request: FastifyRequest) => Ask | Promise<Ask>) {
  return async (request: FastifyRequest, reply: FastifyReply) => {
    const result = await checker.ask(fromNode(request.raw), () => ask(request), passed(request));
    return pass(checker, result, request, reply);
  };
}

/**
 * A plugin that answers what useCan asks: which of some actions the person may do. It has a context of its own; register it before the
 * hook of {@link protect}, or name its path as public in the route file. It finds out itself who asks.
 */
export function offers({ checker, fromProxy, url }: ProtectOptions & { url: string }) {
  return async (app: FastifyInstance) => {
    app.removeAllContentTypeParsers();
    app.addContentTypeParser("*", (_request, _payload, done) => done(null));
    app.post(url, async (request, reply) => {
      const received = fromNode(request.raw, () => fromProxy?.(request) === true);
      const { result, answer } = await answerOffers(checker, received);
      if (!answer) {
        return refuse(checker, result, request, reply);
      }
      return reply.headers(answer.headers).send(answer.body);
    });
  };
}

/**
 * Refuses what Fastify itself cannot read, such as a path that is no UTF-8, in the form of all refusals:
 * Fastify({ frameworkErrors: unreadable(checker) }).
 */
export function unreadable(checker: Checker) {
  return (_error: Error, request: FastifyRequest, reply: FastifyReply): void => {
    const trace = newTrace((name) => [request.headers[name] ?? []].flat());
    const refusal = {
      ...badRequest("The request cannot be read: send a path in percent-encoded UTF-8."),
      requestId: trace.requestId,
    };
    refuse(checker, { pass: false, refusal, trace }, request, reply);
  };
}

async function pass(checker: Checker, result: Result, request: FastifyRequest, reply: FastifyReply): Promise<unknown> {
  if (!result.pass) {
    return refuse(checker, result, request, reply);
  }
  remember(result, request, request.raw);
  finishWhenAnswered(checker, result, reply.raw);
  return undefined;
}

function refuse(checker: Checker, result: Result, request: FastifyRequest, reply: FastifyReply): FastifyReply {
  const { status, headers, body } = respond(result.refusal ?? unavailable(), {
    accept: request.headers.accept,
    target: request.originalUrl,
    page: checker.page,
  });
  if (!request.raw.complete && request.raw.httpVersionMajor === 1) {
    headers.Connection = "close"; // what is left of the body is not read
  }
  return reply.code(status).headers(headers).send(body);
}
