import type { Question } from "@wardkeeper/pep";

/** Whether alice may do something to jane. */
export function about(action: string, resource = "jane", context: Record<string, unknown> = {}): Question {
  return { subject: { type: "user", id: "alice" }, action: { name: action }, resource: { type: "user", id: resource }, context };
}

/** A logger that records what it is told. */
export function recording() {
  const lines: string[] = [];
  const log = (message: string, fields: Record<string, unknown>) => {
    lines.push(`${message} ${JSON.stringify(fields)}`);
  };
  return { lines, info: log, warn: log, error: log };
}
