import { isObject, parseObject } from "./json.js";
import type { Answer, Claim, Hit, Page } from "./question.js";

/** A task that the application must do together with an action. */
export interface Obligation {
  id: string;
  type: string;
  properties: Record<string, unknown>;
}

/** One reason for a denial, or one piece of advice. */
export interface Reason {
  code?: string;
  /** A sentence for the person. */
  message?: string;
  rule?: string;
  /** The other members, such as "field" or "locations". */
  [member: string]: unknown;
}

/** Why there is no answer. The message names nobody, and may be logged. */
export class NoAnswer extends Error {
  constructor(
    message: string,
    /** The status that the decision point answered with, if it was not one of an answer. */
    readonly status?: number,
  ) {
    super(message);
    this.name = "NoAnswer";
  }
}

/** The key of the handler that an obligation needs: its type, or for a custom one also its action, as in "custom/confirm". */
export function kindOf(o: Obligation): string {
  if (o.type !== custom) {
    return o.type;
  }
  return `${custom}/${typeof o.properties.action === "string" ? o.properties.action : ""}`;
}

export const custom = "custom";

const malformed = () => new NoAnswer("the decision point sent a malformed answer");

/** Decodes the body of the response to one question. */
export function decodeAnswer(body: Uint8Array): Answer {
  return answerOf(objectOf(body));
}

/** Decodes the body of the response to a batch of questions. */
export function decodeAnswers(body: Uint8Array): Answer[] {
  const { evaluations } = objectOf(body);
  if (!Array.isArray(evaluations)) {
    throw malformed();
  }
  return evaluations.map(answerOf);
}

function objectOf(body: Uint8Array): Record<string, unknown> {
  try {
    return parseObject(body);
  } catch {
    throw malformed(); // the error could quote the answer
  }
}

function answerOf(value: unknown): Answer {
  if (!isObject(value) || typeof value.decision !== "boolean") {
    throw malformed();
  }
  const { decision, context } = value;
  if (context === undefined || context === null) {
    return { decision };
  }
  if (!isObject(context)) {
    throw malformed();
  }
  return { decision, context };
}

/**
 * The token of the guard in an answer; undefined unless the question asked for one (context.include) and the answer allows a change.
 */
export function guardOf(answer: Answer): string | undefined {
  const guard = answer.context?.guard;
  return isObject(guard) && typeof guard.token === "string" && guard.token !== "" ? guard.token : undefined;
}

/** The status of a claim that fails. */
export const conflict = 409;

const time = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?(?:Z|[+-]\d\d:\d\d)$/;

/** Decodes the response to a claim: status, claimed and decision must agree. */
export function decodeClaim(status: number, body: Uint8Array): Claim {
  const { claimed, expires, code, evaluation } = objectOf(body);
  const answer = answerOf(evaluation);
  if (status === 200 && claimed === true && answer.decision && typeof expires === "string" && time.test(expires)) {
    const until = new Date(expires);
    if (!Number.isNaN(until.getTime())) {
      return { claimed, expires: until, answer };
    }
  }
  if (status === conflict && claimed === false && typeof code === "string" && code !== "") {
    return { claimed, code, answer };
  }
  throw malformed();
}

/** Decodes the body of the response to a search. */
export function decodePage(body: Uint8Array): Page {
  const { page, results } = objectOf(body);
  if (!Array.isArray(results) || !(page === undefined || page === null || isObject(page))) {
    throw malformed();
  }
  const decoded: Page = { results: results.map(hitOf) };
  const token = page?.next_token;
  if (token !== undefined && token !== null && typeof token !== "string") {
    throw malformed();
  }
  if (token) {
    decoded.nextToken = token;
  }
  if (typeof page?.total === "number") {
    decoded.total = page.total;
  }
  return decoded;
}

function hitOf(value: unknown): Hit {
  if (!isObject(value)) {
    throw malformed();
  }
  const { type, id, name, properties, obligations } = value;
  const isText = (v: unknown): v is string => typeof v === "string" && v !== "";
  const hit: Hit = {};
  if (isText(type) && isText(id)) {
    hit.type = type;
    hit.id = id;
  } else if (isText(name)) {
    hit.name = name;
  } else {
    throw malformed();
  }
  if (isObject(properties)) {
    hit.properties = properties;
  } else if (properties !== undefined && properties !== null) {
    throw malformed();
  }
  if (Array.isArray(obligations)) {
    hit.obligations = obligations;
  } else if (obligations !== undefined && obligations !== null) {
    throw malformed();
  }
  return hit;
}

/** An interpreted answer. */
export interface Reading {
  allow: boolean;
  reasons: Reason[];
  advice: Reason[];
  obligations: Obligation[];
}

/** Interprets an answer. It throws if the decision point could not decide, or sent malformed obligations. */
export function read(answer: Answer): Reading {
  const context = answer.context ?? {};
  if (context.error !== undefined && context.error !== null) {
    const status = isObject(context.error) && typeof context.error.status === "number" ? `: status ${context.error.status}` : "";
    throw new NoAnswer(`the decision point could not decide${status}`);
  }
  const reasons = reasonsOf(context.reasons);
  return {
    allow: answer.decision === true,
    reasons: reasons.length > 0 ? reasons : reasonsOf(context.reason_user),
    advice: reasonsOf(context.advice),
    obligations: obligationsOf(context.obligations),
  };
}

function obligationsOf(value: unknown): Obligation[] {
  if (value === undefined || value === null) {
    return [];
  }
  if (!Array.isArray(value)) {
    throw new NoAnswer("the decision point sent obligations that are not a list");
  }
  return value.map((element: unknown, index) => {
    const { id, type, properties } = isObject(element) ? element : {};
    const given = properties ?? {};
    if (typeof id !== "string" || id === "" || typeof type !== "string" || type === "" || !isObject(given)) {
      throw new NoAnswer(`the decision point sent a malformed obligation at index ${index}`);
    }
    return { id, type, properties: given };
  });
}

/**
 * Reads reasons that are objects or texts, and AuthZEN's reason_user, a map from a status or a language to a text. What it does
 * not understand it skips, because a denial needs no reason.
 */
function reasonsOf(value: unknown): Reason[] {
  if (Array.isArray(value)) {
    return value.flatMap((element: unknown) => {
      if (typeof element === "string") {
        return [{ message: element }];
      }
      const reason = isObject(element) ? reasonOf(element) : {};
      return reason.code || reason.message || reason.rule ? [reason] : [];
    });
  }
  if (isObject(value)) {
    const first = Object.keys(value)
      .sort()
      .find((key) => typeof value[key] === "string");
    return first === undefined ? [] : [{ message: value[first] as string }];
  }
  return [];
}

function reasonOf(members: Record<string, unknown>): Reason {
  const { code, message, rule, ...reason }: Record<string, unknown> = members;
  for (const [name, text] of Object.entries({ code, message, rule })) {
    if (typeof text === "string" && text !== "") {
      reason[name] = text;
    }
  }
  return reason;
}
