import type { Checker, Result } from "./checker.js";

const results = new WeakMap<object, Result>();

/** Remembers the result of checking a request, for {@link resultOf}. */
export function remember(result: Result, ...requests: object[]): void {
  for (const request of requests) {
    results.set(request, result);
  }
}

/**
 * The result of checking a request: who asks, the outcome of the question with its warnings, and the trace for further questions.
 * undefined if nothing has checked it.
 */
export function resultOf(request: object): Result | undefined {
  return results.get(request);
}

/** Does the obligations that follow an action. A failure is logged with the obligation's id; the application has to repeat it. */
export async function finish(checker: Checker, result: Result): Promise<void> {
  try {
    await result.outcome?.done();
  } catch (thrown) {
    checker.logger.error("an obligation was not done", { request_id: result.trace.requestId, error: (thrown as Error).message });
  }
}
