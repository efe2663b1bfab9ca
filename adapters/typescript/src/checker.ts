import { Enforcer, type Handlers, kindOfThrown, type Outcome } from "./enforcer.js";
import { TokenVerifier } from "./identity/verifier.js";
import { consoleLogger, harmless, type Logger } from "./log.js";
import { type Action, type Decider, type Entity, maxName, type Question, type Trace } from "./question.js";
import { badRequest, noRoute, type Refusal, type RefusalPage, unauthenticated, unavailable } from "./refusal.js";
import { valuesOf } from "./routes/header.js";
import type { Verifier } from "./routes/person.js";
import { Problem } from "./routes/problem.js";
import type { HttpRequest } from "./routes/request.js";
import type { Route } from "./routes/route.js";
import { type Resolution, RouteTable, sharedContext } from "./routes/table.js";
import { hasControl } from "./routes/value.js";
import { newTrace } from "./trace.js";

/** The settings of a {@link Checker}. Only decider is required. */
export interface CheckerOptions {
  decider: Decider;
  /** What requests ask: the path of a route file, or a parsed one. Without it, questions are asked in code. */
  routes?: string | RouteTable;
  /** The obligations that the application does. */
  handlers?: Handlers;
  /** Verifies tokens. Default: by the route file's subject.jwt. */
  verifier?: Verifier;
  /** Default: lines of JSON on the standard error. */
  logger?: Logger;
  /** Makes the page of a refusal, for browsers. */
  page?: RefusalPage;
}

/** A question in code, about the person of a request. */
export interface Ask {
  /** The id of the person who has signed in. Without it, the person is that of the request; otherwise the request is refused with 401. */
  subject?: string | Entity | null;
  action: string | Action;
  /** Whom or what the question is about. The type is "user" by default. */
  resource: { id: string; type?: string; properties?: Record<string, unknown> };
  /** The place, which is the resource's property "location". */
  location?: string;
  context?: Record<string, unknown>;
}

/** The result of checking a request. */
export interface Result {
  /** Whether the request may pass. If not, refusal is what to answer. */
  pass: boolean;
  refusal?: Refusal;
  /** The id of the person; undefined if the route is public or the person is not known. */
  subject?: string;
  /** The outcome of the question, if one was asked. Its done is called once the request has been answered with success. */
  outcome?: Outcome;
  /** The route that the request matches. */
  route?: Route;
  /**
   * Where the person stands, and how recent answers have to be: further questions about the same request have it too. What was
   * confirmed is not in it, because the person was shown the warnings of one question.
   */
  context?: Record<string, unknown>;
  /** The path in one spelling for all that mean the same. */
  path?: string;
  trace: Trace;
}

/** Judges requests to an application. One checker serves a whole process. */
export class Checker {
  readonly enforcer: Enforcer;
  readonly logger: Logger;
  readonly page: RefusalPage | undefined;
  readonly #table: RouteTable | undefined;
  readonly #verifier: Verifier | undefined;

  /** Makes a checker. It throws if the route file is faulty, or the keys of its file cannot be read. */
  constructor(options: CheckerOptions) {
    this.logger = harmless(options.logger ?? consoleLogger);
    this.page = options.page;
    this.#table = typeof options.routes === "string" ? RouteTable.load(options.routes) : options.routes;
    const jwt = this.#table?.subject.jwt;
    this.#verifier = options.verifier ?? (jwt ? new TokenVerifier({ ...jwt, logger: this.logger }) : undefined);
    this.enforcer = new Enforcer({ decider: options.decider, ...(options.handlers ? { handlers: options.handlers } : {}) });
  }

  /** Judges a request by the route file. */
  async check(request: HttpRequest): Promise<Result> {
    let route: Route | undefined;
    return this.#judged(
      request,
      async (trace) => {
        if (!this.#table) {
          throw new TypeError("Checker was made without routes.");
        }
        const resolution = await this.#table.resolve(request, this.#verifier, (found) => {
          route = found;
        });
        return this.#decide(resolution, trace);
      },
      () => route,
    );
  }

  async #decide(resolution: Resolution, trace: Trace): Promise<Result> {
    const { path } = resolution;
    switch (resolution.outcome) {
      case "public":
        return { pass: true, route: resolution.route, path, trace };
      case "question": {
        const { question, route } = resolution;
        const result = await this.#enforce(question, trace);
        return { ...result, route, path };
      }
    }
    return { pass: false, refusal: noRoute(), path, trace };
  }

  async #enforce(question: Question, trace: Trace): Promise<Result> {
    const outcome = await this.enforcer.enforce(question, { trace });
    const { refusal } = outcome;
    const result: Result = { pass: outcome.permitted && refusal === undefined, subject: question.subject.id, outcome, trace };
    result.context = Object.fromEntries(Object.entries(question.context ?? {}).filter(([name]) => sharedContext.includes(name)));
    return refusal ? { ...result, refusal } : result;
  }

  /**
   * Judges a request by a question in code. ask makes it of the request; before is the result of an earlier check of the same request.
   */
  async ask(request: HttpRequest, ask: () => Ask | Promise<Ask>, before?: Result): Promise<Result> {
    return this.#judged(
      request,
      async (trace) => {
        const asked = await ask();
        const question = this.#questionOf(asked, before);
        return question ? this.#enforce(question, trace) : { pass: false, refusal: unauthenticated(), trace };
      },
      () => before?.route,
      before?.trace,
    );
  }

  /** What the person of a request may do to a resource: asked in one batch, without doing obligations. */
  async can(result: Result, actions: readonly string[], about: Omit<Ask, "action">): Promise<Record<string, boolean>> {
    const allowed = await this.canAll(
      result,
      actions.map((action) => ({ ...about, action })),
    );
    const answers: Record<string, boolean> = Object.create(null);
    for (const [i, action] of actions.entries()) {
      answers[action] = allowed[i] ?? false;
    }
    return answers;
  }

  /** Which questions about the person of a request have the answer yes, in order: asked in one batch. What has to be confirmed counts as yes. */
  async canAll(result: Result, asks: readonly Ask[]): Promise<boolean[]> {
    const questions = asks.map((ask) => this.#questionOf(ask, result));
    const known = questions.filter((q) => q !== undefined);
    const outcomes = await this.enforcer.ask(known, { trace: result.trace });
    const failed = outcomes.find((o) => o.verdict === "unavailable");
    if (failed) {
      this.logger.warn("what a page offers could not be found out", {
        request_id: result.trace.requestId,
        error: failed.error?.message,
      });
    }
    let next = 0;
    return questions.map((question) => {
      const verdict = question && outcomes[next++]?.verdict;
      return verdict === "permitted" || verdict === "confirmation_required";
    });
  }

  /** Finds out who sends a request, by the route file's subject, without asking a question. */
  async identify(request: HttpRequest): Promise<Result> {
    return this.#judged(
      request,
      async (trace) => {
        if (!this.#table) {
          throw new TypeError("Checker was made without routes.");
        }
        const { id, context } = await this.#table.person(request, this.#verifier);
        return { pass: true, subject: id, context, trace };
      },
      () => undefined,
    );
  }

  #questionOf(ask: Ask, result: Result | undefined): Question | undefined {
    const given = ask.subject === undefined ? result?.subject : ask.subject;
    if (given === undefined || given === null || given === "") {
      return undefined;
    }
    const subject = typeof given === "string" ? { type: "user", id: given } : given;
    const action = typeof ask.action === "string" ? { name: ask.action } : ask.action;
    const resource: Entity = { type: ask.resource.type ?? "user", id: ask.resource.id };
    for (const text of [subject.type, subject.id, action.name, resource.type, resource.id]) {
      if (typeof text !== "string" || text === "" || Buffer.byteLength(text) > maxName || hasControl(text)) {
        throw new Problem("bad_request", "The request does not name what it is about.");
      }
    }
    const properties = { ...ask.resource.properties, ...(ask.location === undefined ? {} : { location: ask.location }) };
    if (Object.keys(properties).length > 0) {
      resource.properties = properties;
    }
    return { subject, action, resource, context: { ...result?.context, ...ask.context } };
  }

  /** Gives a check the trace of its request, and turns what it throws into a refusal, which is logged. */
  async #judged(
    request: HttpRequest,
    check: (trace: Trace) => Promise<Result>,
    route: () => Route | undefined,
    known?: Trace,
  ): Promise<Result> {
    const trace = known ?? newTrace((name) => valuesOf(request.fields, name));
    let result: Result;
    let cause: string | undefined;
    try {
      result = await check(trace);
      cause = result.outcome?.error?.message;
    } catch (thrown) {
      const { refusal, reason } = refusalOf(thrown);
      result = { pass: false, refusal, trace };
      cause = reason;
    }
    const matched = result.route ?? route();
    if (matched) {
      result.route = matched;
    }
    return result.pass ? result : this.#refused(result, cause);
  }

  /**
   * Refuses a request that cannot be judged. cause is for the log.
   *
   * @internal
   */
  refuse(request: HttpRequest, refusal: Refusal, cause: string, before?: Result): Result {
    const trace = before?.trace ?? newTrace((name) => valuesOf(request.fields, name));
    return this.#refused({ ...before, pass: false, refusal, trace }, cause);
  }

  #refused(result: Result, cause: string | undefined): Result {
    result.refusal = { ...(result.refusal ?? unavailable()), requestId: result.trace.requestId };
    this.#log(result, cause);
    return result;
  }

  /** Logs a refusal and names nobody: the route instead of the path, and no reasons, because a reason may describe the person. */
  #log({ refusal, route, trace }: Result, cause: string | undefined): void {
    const fields: Record<string, unknown> = { status: refusal?.status, code: refusal?.code, request_id: trace.requestId };
    if (route) {
      fields.route = route.path;
      fields.line = route.line;
    }
    if (cause) {
      fields.error = cause;
    }
    if (refusal?.status === 503) {
      this.logger.warn("a request could not be checked", fields);
    } else {
      this.logger.info("a request was refused", fields);
    }
  }
}

/** The refusal of what was thrown. Only the messages of this package are known to name nobody. */
function refusalOf(thrown: unknown): { refusal: Refusal; reason: string | undefined } {
  if (!(thrown instanceof Problem)) {
    return { refusal: unavailable(), reason: `the check has thrown ${kindOfThrown(thrown)}` };
  }
  switch (thrown.kind) {
    case "bad_request":
      return { refusal: badRequest(thrown.message), reason: thrown.reason };
    case "unauthenticated":
      return { refusal: unauthenticated(thrown.message), reason: thrown.reason };
  }
  return { refusal: unavailable(thrown.message), reason: thrown.reason };
}
