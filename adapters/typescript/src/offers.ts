import type { Ask, Checker, Result } from "./checker.js";
import { isObject } from "./json.js";
import { badRequest, type Refusal } from "./refusal.js";
import { readBody } from "./routes/body.js";
import { Problem } from "./routes/problem.js";
import type { HttpRequest } from "./routes/request.js";

/** The most questions that a page may ask at once. */
export const maxOffers = 200;

/** The answer to a page's questions; undefined if the request is refused. */
export interface OffersAnswer {
  headers: Record<string, string>;
  body: string;
}

/**
 * Answers which of a page's questions about the person who sends the request have the answer yes. The body is {"asks": [{"action",
 * "resource": {"type", "id"}, "location"}]}, the answer {"can": [true, false]}. It is for greying out buttons: what they do is checked
 * again.
 */
export async function answerOffers(checker: Checker, request: HttpRequest): Promise<{ result: Result; answer?: OffersAnswer }> {
  const result = await checker.identify(request);
  if (!result.pass) {
    return { result };
  }
  try {
    const asks = request.method === "POST" ? asksOf((await readBody(request.readBody, request.fields)).body) : undefined;
    if (!asks) {
      return refused(result, badRequest("The questions are malformed: send POST with asks, a list with action and resource."));
    }
    const can = await checker.canAll(result, asks);
    const headers = { "Content-Type": "application/json", "Cache-Control": "no-store", "X-Request-ID": result.trace.requestId };
    return { result, answer: { headers, body: JSON.stringify({ can }) } };
  } catch (thrown) {
    if (thrown instanceof Problem) {
      return refused(result, badRequest(thrown.message));
    }
    throw thrown;
  }
}

function refused(result: Result, refusal: Refusal): { result: Result } {
  return { result: { ...result, pass: false, refusal: { ...refusal, requestId: result.trace.requestId } } };
}

function asksOf(body: unknown): Ask[] | undefined {
  const list = isObject(body) ? body.asks : undefined;
  if (!Array.isArray(list) || list.length > maxOffers) {
    return undefined;
  }
  const asks = list.map(askOf);
  return asks.every((ask) => ask !== undefined) ? asks : undefined;
}

/** Reads a question, whose person and context are not the page's to say. */
function askOf(value: unknown): Ask | undefined {
  const { action, resource, location } = isObject(value) ? value : {};
  const { type = "user", id } = isObject(resource) ? resource : {};
  if (typeof action !== "string" || typeof type !== "string" || typeof id !== "string") {
    return undefined;
  }
  if (location === undefined || location === null) {
    return { action, resource: { type, id } };
  }
  return typeof location === "string" ? { action, resource: { type, id }, location } : undefined;
}
