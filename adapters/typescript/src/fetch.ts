import type { IncomingMessage, ServerResponse } from "node:http";
import { Readable } from "node:stream";
import type { ReadableStream as NodeReadableStream } from "node:stream/web";
import type { Ask, Checker, Result } from "./checker.js";
import { fromNode } from "./node.js";
import { answerOffers } from "./offers.js";
import { respond, unavailable } from "./refusal.js";
import { finish, remember, resultOf } from "./results.js";
import type { HttpRequest } from "./routes/request.js";

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
  return (request, ...args) => guard(checker, checker.check(received(request, options)), request, () => handler(request, ...args));
}

/** A handler that is called if a question in code has the answer yes. It takes the person from the question. */
export function asks<A extends unknown[]>(
  checker: Checker,
  ask: (request: Request, ...args: A) => Ask | Promise<Ask>,
  handler: FetchHandler<A>,
): (request: Request, ...args: A) => Promise<Response> {
  return (request, ...args) => {
    const before = resultOf(request);
    const result = checker.ask(received(request, {}), () => ask(request, ...args), before?.pass ? before : undefined);
    return guard(checker, result, request, () => handler(request, ...args));
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
  checked: Promise<Result>,
  request: Request,
  handler: () => Response | Promise<Response>,
): Promise<Response> {
  const result = await checked;
  if (!result.pass) {
    return refusalOf(checker, result, request);
  }
  remember(result, request);
  const response = await handler();
  if (response.status < 400) {
    await finish(checker, result);
  }
  return response;
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
    fromProxy: fromProxy?.(request) === true,
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
  const request = toRequest(incoming);
  if (!request) {
    response.writeHead(400, { "Cache-Control": "no-store", Connection: "close" }).end();
    return;
  }
  const { readBody: _, ...judged } = fromNode(incoming);
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
    for await (const chunk of answered.body) {
      response.write(chunk);
    }
  }
  response.end();
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
