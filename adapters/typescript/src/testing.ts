// A decision point for tests of one's own code. It decides by the rules that a test gives it, and records what it is asked.

import { randomUUID } from "node:crypto";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { isDeepStrictEqual } from "node:util";
import { conflict, NoAnswer, type Obligation, type Reason } from "./answer.js";
import { isObject, parseObject } from "./json.js";
import type { Answer, Claim, Decider, Question } from "./question.js";

/** Which questions a rule is about: an action, or those that have all of these. */
export type Match =
  | string
  | {
      action?: string;
      /** The id of the person. */
      subject?: string;
      /** The id of what the question is about. */
      resource?: string;
      location?: string;
    };

interface Rule {
  match: Match;
  answer: (question: Question) => Answer | undefined;
}

/** What an allow requires: obligations, whose id and properties may be left out. */
export type Required = Pick<Obligation, "type"> & Partial<Obligation>;

/**
 * A decision point for tests. Where several rules match a question, the last one counts; where none does, the answer is no. It is a
 * decider by itself, and after listen a server.
 */
export class FakePdp implements Decider {
  /** The questions asked so far, in order. */
  readonly questions: Question[] = [];
  /** The questions whose guards were claimed with success so far, in order. */
  readonly claimed: Question[] = [];
  /** The number of requests so far: a batch is one. */
  requests = 0;
  readonly #rules: Rule[] = [];
  readonly #known = new Map<string, string[]>();
  /** The guards by their tokens. */
  readonly #guards = new Map<string, { question: Question; claimed: boolean }>();
  #server: Server | undefined;

  /** Answers yes, with obligations. */
  allow(match: Match, ...obligations: Required[]): this {
    return this.#rule(match, () => allowed(obligations));
  }

  /** Answers no, with a reason. */
  deny(match: Match, reason: Reason = { code: "not_permitted", message: "Your role does not permit this." }): this {
    return this.#rule(match, () => ({ decision: false, context: { reasons: [reason] } }));
  }

  /** Answers yes once the person has confirmed. */
  confirm(match: Match, cause = "multiple_locations"): this {
    const confirm = { type: "custom", properties: { action: "confirm", cause } };
    return this.#rule(match, (question) => allowed(question.context?.confirmed === true ? [] : [confirm]));
  }

  /** Gives no answer, as a decision point that fails. */
  fail(match: Match = {}): this {
    return this.#rule(match, () => undefined);
  }

  /** Makes ids known, for searches: a list has those about which the answer is yes. */
  know(type: string, ...ids: string[]): this {
    this.#known.set(type, [...(this.#known.get(type) ?? []), ...ids]);
    return this;
  }

  /** Forgets the rules and what was asked. */
  reset(): void {
    this.#rules.length = 0;
    this.questions.length = 0;
    this.claimed.length = 0;
    this.requests = 0;
    this.#known.clear();
    this.#guards.clear();
  }

  async decide(questions: readonly Question[]): Promise<Answer[]> {
    this.requests++;
    return questions.map((question) => this.#must(this.#answer(question)));
  }

  /**
   * Claims a guard as a client does. A guard of the question can be claimed once, as long as the answer is yes: then the code is
   * "taken", else "denied".
   */
  async claim(question: Question, guard: string): Promise<Claim> {
    this.requests++;
    return this.#claim(question, guard);
  }

  /** Serves at a free port of this machine, or at a Unix socket, and returns the URL for a client. */
  async listen(socketPath?: string): Promise<string> {
    const server = createServer((incoming, response) => {
      this.#serve(incoming, response).catch(() => response.destroy());
    });
    await new Promise<void>((resolve, reject) => {
      server.once("error", reject);
      if (socketPath === undefined) {
        server.listen(0, "127.0.0.1", resolve);
      } else {
        server.listen(socketPath, resolve);
      }
    });
    this.#server = server;
    return socketPath === undefined ? `http://127.0.0.1:${(server.address() as AddressInfo).port}` : `unix:${socketPath}`;
  }

  /** Stops serving, and breaks the connections. */
  async close(): Promise<void> {
    const server = this.#server;
    this.#server = undefined;
    if (server) {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    }
  }

  #rule(match: Match, answer: Rule["answer"]): this {
    this.#rules.unshift({ match, answer });
    return this;
  }

  #answer(question: Question): Answer | undefined {
    this.questions.push(question);
    const answer = this.#evaluate(question);
    const include = question.context?.include;
    return answer?.decision && Array.isArray(include) && include.includes("guard") ? this.#guarded(question, answer) : answer;
  }

  #guarded(question: Question, answer: Answer): Answer {
    const token = randomUUID();
    this.#guards.set(token, { question, claimed: false });
    const expires = new Date(Date.now() + 300_000).toISOString();
    return { ...answer, context: { ...answer.context, guard: { token, expires, records: records(question) } } };
  }

  #claim(question: Question, token: string): Claim {
    const guard = this.#guards.get(token);
    if (!guard || !isDeepStrictEqual(guarded(guard.question), guarded(question))) {
      throw new NoAnswer("the decision point answered with status 400", 400);
    }
    const answer = this.#must(this.#evaluate(question));
    if (!answer.decision || guard.claimed) {
      const code = answer.decision ? "taken" : "denied";
      return { claimed: false, code, answer: answer.decision ? this.#guarded(question, answer) : answer };
    }
    guard.claimed = true;
    this.claimed.push(question);
    const context = { ...answer.context, guard: { records: records(question) } };
    return { claimed: true, expires: new Date(Date.now() + 10_000), answer: { ...answer, context } };
  }

  #evaluate(question: Question): Answer | undefined {
    const rule = this.#rules.find(({ match }) => matches(match, question));
    return rule ? rule.answer(question) : { decision: false };
  }

  async #serve(incoming: IncomingMessage, response: ServerResponse): Promise<void> {
    const chunks: Buffer[] = [];
    for await (const chunk of incoming) {
      chunks.push(chunk as Buffer);
    }
    const id = incoming.headers["x-request-id"];
    if (typeof id === "string") {
      response.setHeader("X-Request-ID", id);
    }
    const [status, body] = this.#respond(incoming.url ?? "", Buffer.concat(chunks), `http://${incoming.headers.host}`);
    response.writeHead(status, { "Content-Type": "application/json" }).end(JSON.stringify(body));
  }

  #respond(path: string, body: Buffer, base: string): [number, unknown] {
    if (path === "/.well-known/authzen-configuration") {
      return [200, metadata(base)];
    }
    this.requests++;
    try {
      const message = parseObject(body);
      switch (path) {
        case "/access/v1/evaluation":
          return [200, this.#must(this.#answer(message as unknown as Question))];
        case "/access/v1/evaluations":
          return [200, { evaluations: questionsOf(message).map((q) => this.#must(this.#answer(q))) }];
        case "/v1/guards/claim":
          return this.#respondToClaim(message);
      }
      const list = /^\/access\/v1\/search\/(subject|resource|action)$/.exec(path)?.[1];
      return list ? [200, this.#search(list, message)] : [404, { error: "There is no such endpoint." }];
    } catch (thrown) {
      const status = thrown instanceof NoAnswer ? thrown.status : undefined;
      return [status ?? 503, { error: "There is no answer." }];
    }
  }

  #respondToClaim({ guard, ...question }: Record<string, unknown>): [number, unknown] {
    const { answer: evaluation, ...claim } = this.#claim(question as unknown as Question, String(guard));
    return claim.claimed ? [200, { ...claim, evaluation }] : [conflict, { ...claim, error: "It cannot be claimed.", evaluation }];
  }

  #must(answer: Answer | undefined): Answer {
    if (!answer) {
      throw new Error("the fake decision point gives no answer");
    }
    return answer;
  }

  #search(list: string, message: Record<string, unknown>): unknown {
    const question = message as unknown as Question;
    this.questions.push(question);
    const type = list === "action" ? "action" : question[list as "subject" | "resource"].type;
    const hits = (this.#known.get(type) ?? [])
      .map((id) => (list === "action" ? { name: id } : { type, id }))
      .filter((hit) => this.#evaluate({ ...question, [list]: hit })?.decision === true);
    const page = isObject(message.page) ? message.page : {};
    const start = Number(page.token ?? 0);
    const end = start + (typeof page.limit === "number" ? page.limit : 100);
    const results = hits.slice(start, end);
    return { page: { next_token: end < hits.length ? String(end) : "", count: results.length, total: hits.length }, results };
  }
}

function matches(match: Match, { action, subject, resource }: Question): boolean {
  if (typeof match === "string") {
    return match === action.name;
  }
  return (
    (match.action === undefined || match.action === action.name) &&
    (match.subject === undefined || match.subject === subject.id) &&
    (match.resource === undefined || match.resource === resource.id) &&
    (match.location === undefined || match.location === resource.properties?.location)
  );
}

/** The part of a question that a guard is bound to. */
function guarded(question: Question): Question {
  const { include: _include, at_least: _atLeast, ...context } = question.context ?? {};
  return { ...question, context };
}

function records({ resource: { type, id } }: Question): unknown[] {
  return [{ type, id, version: 1, exclusive: true }];
}

function allowed(required: Required[]): Answer {
  const obligations = required.map((o, i) => ({ id: o.id ?? `FAKE-${i + 1}`, type: o.type, properties: o.properties ?? {} }));
  return obligations.length > 0 ? { decision: true, context: { obligations } } : { decision: true };
}

function questionsOf(message: Record<string, unknown>): Question[] {
  const { evaluations, options: _, ...defaults } = message;
  return (Array.isArray(evaluations) ? evaluations : []).map((item) => ({ ...defaults, ...(item as Question) }) as Question);
}

function metadata(base: string): unknown {
  return {
    policy_decision_point: base,
    access_evaluation_endpoint: `${base}/access/v1/evaluation`,
    access_evaluations_endpoint: `${base}/access/v1/evaluations`,
    search_subject_endpoint: `${base}/access/v1/search/subject`,
    search_resource_endpoint: `${base}/access/v1/search/resource`,
    search_action_endpoint: `${base}/access/v1/search/action`,
    guard_claim_endpoint: `${base}/v1/guards/claim`,
    supported_obligations: ["custom", "notification", "session_termination"],
  };
}
