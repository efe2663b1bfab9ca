import type { IncomingMessage, ServerResponse } from "node:http";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import type { ReadableStream as NodeReadableStream } from "node:stream/web";
import type { Ask, Checker, Result } from "./checker.js";
import { fromNode } from "./node.js";
import { answerOffers } from "./offers.js";
import { badRequest, denied, respond, unavailable, unsupported } from "./refusal.js";
import { finish, remember, resultOf } from "./results.js";
import { valuesOf } from "./routes/header.js";
import type { HttpRequest } from "./routes/request.js";
import { newTrace } from "./trace.js";

export { resultOf } from "./results.js";

/** A handler of Next.js (app/.../route.ts), or of another framework on the Fetch API. */
export type FetchHandler<A extends unknown[] = unknown[]> = (request: Request, ...args: A) => Response | Promise<Response>;

/** The settings of {@link protect}. */
export interface ProtectOptions {
  /** Only a request from an authenticated proxy may name the person in a header. Default: none comes from there. */
  fromProxy?: (request: Request) => boolean;
}

/**
 * A handler that is called for what the route file permits: export const GET = protect(checker, async (request) => ...). It judges the
 * URL that the handler gets.
 */
export function protect<A extends unknown[]>(
  checker: Checker,
  handler: FetchHandler<A>,
  options: ProtectOptions = {},
): (request: Request, ...args: A) => Promise<Response> {
  return (request, ...args) =>
    guard(
      checker,
      () => checker.check(received(request, options)),
      request,
      () => handler(request, ...args),
    );
}

/** A handler that is called if a question in code has the answer yes. It takes the person from the question. */
export function asks<A extends unknown[]>(
  checker: Checker,
  ask: (request: Request, ...args: A) => Ask | Promise<Ask>,
  handler: FetchHandler<A>,
): (request: Request, ...args: A) => Promise<Response> {
  return (request, ...args) => {
    const before = resultOf(request);
    return guard(
      checker,
      () => checker.ask(received(request, {}), () => ask(request, ...args), before?.pass ? before : undefined),
      request,
      () => handler(request, ...args),
    );
  };
}

/** A handler that answers what useCan asks: export const POST = offers(checker). It finds out itself who asks. */
export function offers(checker: Checker, options: ProtectOptions = {}): (request: Request) => Promise<Response> {
  return async (request) => {
    const { result, answer } = await answerOffers(checker, received(request, options));
    return answer ? new Response(answer.body, { headers: answer.headers }) : refusalOf(checker, result, request);
  };
}

/** Answers with the handler's response if the request may pass, and does the obligations that follow before it is sent. */
async function guard(
  checker: Checker,
  check: () => Promise<Result>,
  request: Request,
  handler: () => Response | Promise<Response>,
): Promise<Response> {
  const result = await check();
  if (!result.pass) {
    return refusalOf(checker, result, request);
  }
  remember(result, request);
  const response = await handler();
  if (goesOn(response)) {
    return result.outcome?.due ? refusalOf(checker, tooEarly(checker, result, request), request) : response;
  }
  if (response.status < 400) {
    await finish(checker, result);
  }
  return response;
}

/** Whether a response of the proxy (middleware) of Next.js has the page run, which is not known to succeed yet. */
function goesOn({ headers }: Response): boolean {
  return headers.has("x-middleware-next") || headers.has("x-middleware-rewrite");
}

/** Refuses what would oblige after the action: a proxy of Next.js cannot, because the action follows it. */
function tooEarly(checker: Checker, result: Result, request: Request): Result {
  return checker.refuse(
    received(request, {}),
    denied([unsupported], []),
    "an obligation follows the action: protect its handler",
    result,
  );
}

function refusalOf(checker: Checker, result: Result, request: Request): Response {
  const { pathname, search } = new URL(request.url);
  const { status, headers, body } = respond(result.refusal ?? unavailable(), {
    accept: request.headers.get("accept") ?? undefined,
    target: pathname + search,
    page: checker.page,
  });
  return new Response(request.method === "HEAD" ? null : body, { status, headers });
}

/** What Node.js has received, of requests that {@link listener} has made. */
const raw = new WeakMap<Request, HttpRequest>();

/** The request to judge. A Request has the URL in one spelling, which is the one that its handler gets. */
function received(request: Request, { fromProxy }: ProtectOptions): HttpRequest {
  const url = new URL(request.url);
  const fields = [...request.headers];
  if (!request.headers.has("host")) {
    fields.push(["host", url.host]);
  }
  return {
    method: request.method,
    target: url.pathname + url.search,
    fields,
    readBody: (limit) => readBody(request, limit),
    ...raw.get(request),
    fromProxy: () => fromProxy?.(request) === true,
  };
}

/** Reads a copy of the body, so that the handler reads it too. undefined if it is longer than the limit. */
async function readBody(request: Request, limit: number): Promise<Uint8Array | undefined> {
  const reader = request.clone().body?.getReader();
  const chunks: Uint8Array[] = [];
  let size = 0;
  for (let piece = await reader?.read(); piece && !piece.done; piece = await reader?.read()) {
    chunks.push(piece.value);
    size += piece.value.length;
    if (size > limit) {
      reader?.cancel().catch(() => {}); // it ends only with the original, which nobody reads
      return undefined;
    }
  }
  return Buffer.concat(chunks);
}

/**
 * A listener for node:http that calls a handler of the Fetch API: createServer(listener(protect(checker, handler))). The request is
 * then judged as its bytes came, before URL and Headers put them in one spelling.
 */
export function listener(
  handler: (request: Request) => Promise<Response>,
): (incoming: IncomingMessage, response: ServerResponse) => void {
  return (incoming, response) => {
    answer(handler, incoming, response).catch(() => {
      if (response.headersSent) {
        response.destroy();
      } else {
        response.writeHead(500).end();
      }
    });
  };
}

async function answer(
  handler: (request: Request) => Promise<Response>,
  incoming: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const { readBody: _, fromProxy: _never, ...judged } = fromNode(incoming);
  const request = toRequest(incoming);
  if (!request) {
    refuseUnreadable(judged, incoming, response);
    return;
  }
  raw.set(request, judged);
  const answered = await handler(request);
  response.statusCode = answered.status;
  for (const [name, value] of answered.headers) {
    response.appendHeader(name, value);
  }
  if (!incoming.complete) {
    response.setHeader("Connection", "close");
  }
  if (answered.body) {
    await pipeline(Readable.fromWeb(answered.body as NodeReadableStream), response); // as fast as the client reads it
  } else {
    response.end();
  }
}

/** Refuses a request of which there is none in the Fetch API, such as one whose target is not a path. */
function refuseUnreadable({ fields }: HttpRequest, incoming: IncomingMessage, response: ServerResponse): void {
  const { requestId } = newTrace((name) => valuesOf(fields, name));
  const refusal = { ...badRequest("The request cannot be read: send the path that is meant to its host."), requestId };
  const { status, headers, body } = respond(refusal, {
    accept: incoming.headers.accept,
    target: incoming.url ?? "",
    page: undefined,
  });
  response.writeHead(status, { ...headers, Connection: "close" }).end(incoming.method === "HEAD" ? undefined : body);
}

/** The request for a handler; undefined if the Fetch API has none like it. */
function toRequest(incoming: IncomingMessage): Request | undefined {
  const { method = "", url = "", rawHeaders } = incoming;
  if (!url.startsWith("/")) {
    return undefined;
  }
  try {
    const headers = new Headers();
    for (let i = 0; i + 1 < rawHeaders.length; i += 2) {
      headers.append(rawHeaders[i] as string, rawHeaders[i + 1] as string);
    }
    const address = new URL(`http://${incoming.headers.host ?? ""}${url}`);
    if (method === "GET" || method === "HEAD") {
      return new Request(address, { method, headers });
    }
    const body = Readable.toWeb(incoming) as NodeReadableStream<Uint8Array>;
    return new Request(address, { method, headers, body, duplex: "half" } as RequestInit);
  } catch {
    return undefined;
  }
}
