/** A subject or a resource. */
export interface Entity {
  type: string;
  id: string;
  properties?: Record<string, unknown>;
}

/** What the subject asks to do. */
export interface Action {
  name: string;
  properties?: Record<string, unknown>;
}

/** May the subject do the action to the resource, in the context? */
export interface Question {
  subject: Entity;
  action: Action;
  resource: Entity;
  context?: Record<string, unknown>;
}

/** The answer of a decision point to a question. */
export interface Answer {
  decision: boolean;
  context?: Record<string, unknown>;
}

/** A search: the part that is searched for has no id, or is absent for actions. */
export interface Search {
  subject: { type: string; id?: string; properties?: Record<string, unknown> };
  action?: Action;
  resource: { type: string; id?: string; properties?: Record<string, unknown> };
  context?: Record<string, unknown>;
}

/** A result of a search: an entity has a type and an id, an action has a name. */
export interface Hit {
  type?: string;
  id?: string;
  name?: string;
  properties?: Record<string, unknown>;
  obligations?: unknown[];
}

/** The part of a list that one request returns. */
export interface Page {
  results: Hit[];
  /** Continues the list; undefined if it is complete. */
  nextToken?: string;
  /** The length of the whole list, where the decision point tells it. */
  total?: number;
}

/**
 * The outcome of claiming a guard. Only if it is claimed may the change be made, with every obligation of answer, and before expires.
 * code says why it may not: changed, taken, expired or denied; an allow in answer then has a new guard. answer is the question answered
 * again.
 */
export type Claim = { claimed: true; expires: Date; answer: Answer } | { claimed: false; code: string; answer: Answer };

/** What accompanies a question and is not a part of it. */
export interface Call {
  trace?: Trace;
  signal?: AbortSignal;
}

/** Identifies the request of a person on whose behalf a question is asked. */
export interface Trace {
  requestId: string;
  traceparent?: string;
  tracestate?: string;
}

/**
 * Answers questions: {@link Client} does so over HTTP, FakePdp in tests. An implementation bounds its time and never caches
 * answers. It answers every question, in order, or rejects; its errors are logged, so they must not name a person.
 */
export interface Decider {
  decide(questions: readonly Question[], call?: Call): Promise<Answer[]>;
}

/** The most questions that a decision point answers in one request. */
export const maxEvaluations = 1000;

/** The maximum length of a type, an id or a name in bytes. */
export const maxName = 1 << 10;
