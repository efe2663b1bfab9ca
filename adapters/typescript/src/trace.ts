import { randomBytes } from "node:crypto";
import type { Trace } from "./question.js";
import { trim } from "./trim.js";

// The maximum lengths of what is passed on, in bytes. A longer request could be refused for its length.
const maxRequestId = 128;
const maxState = 2 << 10; // at least 512 have to be passed on

/**
 * The trace of a request. values returns the values of a header field. If the request does not have exactly one request id that
 * can be logged and passed on, one is made. Several parents are none, and without a parent there is no state (W3C Trace
 * Context, section 3).
 */
export function newTrace(values: (name: string) => string[]): Trace {
  const ids = values("x-request-id");
  const [id] = ids;
  const trace: Trace = {
    requestId: ids.length === 1 && id !== undefined && isRequestId(id) ? id : randomBytes(16).toString("hex"),
  };
  const parents = values("traceparent");
  const [parent] = parents;
  if (parents.length === 1 && parent !== undefined && isRequestId(parent) && !parent.includes(",")) {
    trace.traceparent = parent;
    const state = stateOf(values("tracestate"));
    if (state !== "") {
      trace.tracestate = state;
    }
  }
  return trace;
}

/** Joins the fields of a trace state in their order. One that is too long is left out, as the standard allows. */
function stateOf(fields: string[]): string {
  const states = fields.map((field) => trim(field, " \t,")).filter((field) => field !== "");
  const joined = states.join(",");
  return joined.length <= maxState && !/[^\x20-\x7e\t]/.test(joined) ? joined : "";
}

function isRequestId(text: string): boolean {
  return text.length <= maxRequestId && /^[!-~]+$/.test(text);
}
