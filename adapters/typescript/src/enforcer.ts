import { custom, kindOf, NoAnswer, type Obligation, type Reason, read } from "./answer.js";
import type { Answer, Call, Decider, Question } from "./question.js";
import { confirmationRequired, denied, type Refusal, unavailable, unsupported } from "./refusal.js";

/**
 * Does obligations of one kind. No action follows a denial, so both functions are then called at once. Their errors are logged by
 * the obligation's id alone.
 */
export interface Handler {
  /** Whether this obligation can be done, for instance a notification by its channel. Only true means that it can. */
  can?(obligation: Obligation): boolean;
  /** Is called before the action. An error denies the action. */
  before?(obligation: Obligation): void | Promise<void>;
  /** Is called once the action has succeeded. The application has to repeat an obligation that fails. */
  after?(obligation: Obligation): void | Promise<void>;
}

/** Handlers by the kind of obligation: its type, or for custom also its action, as in "custom/confirm". */
export type Handlers = Record<string, Handler>;

/**
 * The handler of "custom/confirm". With it, an allow that carries this obligation becomes a confirmation: the person is shown the
 * cause, and the request is sent again with "confirmed" in the context.
 */
export const confirm: Handler = Object.freeze({});

/** The handler of "custom/warn": the page shows what is in {@link Outcome.warnings}. */
export const warn: Handler = Object.freeze({});

/** Whether an action may be done. Only "permitted" permits. */
export type Verdict = "permitted" | "denied" | "confirmation_required" | "unavailable";

const confirmKind = `${custom}/confirm`;
const warnKind = `${custom}/warn`;

/** The result of a question. */
export class Outcome {
  /** Why there is no answer, or which obligations were not done. It names nobody, and may be logged. */
  error?: Error;
  #todo: Task[];

  constructor(
    public verdict: Verdict,
    public reasons: Reason[] = [],
    readonly advice: Reason[] = [],
    /** All obligations of the answer. */
    readonly obligations: Obligation[] = [],
    todo: Task[] = [],
  ) {
    this.#todo = todo;
  }

  /** Whether the action may be done. */
  get permitted(): boolean {
    return this.verdict === "permitted";
  }

  /** What the person has to confirm. */
  get confirm(): Obligation[] {
    return this.verdict === "confirmation_required" ? this.obligations.filter((o) => kindOf(o) === confirmKind) : [];
  }

  /** What to show to the person together with what was permitted. */
  get warnings(): Obligation[] {
    return this.permitted ? this.obligations.filter((o) => kindOf(o) === warnKind) : [];
  }

  /**
   * Does the obligations that follow a permitted action. Call it once the action has succeeded. It tries all of them; the
   * application has to repeat those that the error names.
   */
  async done(): Promise<void> {
    if (!this.permitted) {
      return;
    }
    const failed = await run(this.#todo, "after");
    if (failed.length > 0) {
      throw new Error(failed.join("; "));
    }
  }

  /** Whether {@link done} has something to do. */
  get due(): boolean {
    return this.permitted && this.#todo.some(({ handler }) => handler.after !== undefined);
  }

  /** The response to send instead of the action; undefined if it is permitted. */
  get refusal(): Refusal | undefined {
    switch (this.verdict) {
      case "permitted":
        return undefined;
      case "confirmation_required":
        return confirmationRequired(this.confirm, this.advice);
      case "denied":
        return denied(this.reasons, this.advice);
    }
    return unavailable();
  }

  /**
   * Does what is due before a permitted action, and everything of a denial, after which no action follows.
   *
   * @internal
   */
  async begin(): Promise<void> {
    if (this.verdict === "permitted") {
      const failed = await run(this.#todo, "before");
      if (failed.length > 0) {
        this.verdict = "denied";
        this.reasons = [unsupported];
        this.error = new Error(failed.join("; "));
      }
    } else if (this.verdict === "denied") {
      const failed = [...(await run(this.#todo, "before")), ...(await run(this.#todo, "after"))];
      if (failed.length > 0) {
        this.error = new Error([this.error?.message, ...failed].filter(Boolean).join("; "));
      }
    }
  }
}

interface Task {
  obligation: Obligation;
  handler: Handler;
}

/** Does all tasks, also after one has failed, and returns what has failed. */
async function run(tasks: Task[], phase: "before" | "after"): Promise<string[]> {
  const failed: string[] = [];
  for (const { obligation, handler } of tasks) {
    try {
      await handler[phase]?.(obligation);
    } catch (thrown) {
      failed.push(`the obligation ${obligation.id.slice(0, 200)} was not done: its handler has thrown ${kindOfThrown(thrown)}`);
    }
  }
  return failed;
}

/** Describes what was thrown, without its message, which may name persons. */
export function kindOfThrown(thrown: unknown): string {
  return thrown instanceof Error ? `a ${thrown.constructor.name}` : `a value of type ${typeof thrown}`;
}

/** Asks a decision point, accepts only a well-formed allow, and does obligations. */
export class Enforcer {
  readonly #decider: Decider;
  readonly #handlers: Map<string, Handler>;
  /** The types of the handlers, which every question tells. */
  readonly supported: readonly string[];

  constructor(options: { decider: Decider; handlers?: Handlers }) {
    this.#decider = options.decider;
    this.#handlers = new Map(Object.entries(options.handlers ?? {}));
    const supported = new Set<string>();
    for (const kind of this.#handlers.keys()) {
      const [type = "", action, ...more] = kind.split("/");
      const known = type === custom ? action !== undefined && action !== "" : action === undefined;
      if (type === "" || !known || (type !== custom && more.length > 0)) {
        throw new TypeError(`No obligation is of the kind "${kind}": use the type, or "custom/ACTION".`);
      }
      supported.add(type);
    }
    this.supported = Object.freeze([...supported].sort());
  }

  /** Asks one question, and does the obligations that are due before the action. */
  async enforce(question: Question, call?: Call): Promise<Outcome> {
    const [outcome = new Outcome("unavailable")] = await this.ask([question], call);
    await outcome.begin();
    return outcome;
  }

  /** Asks questions in one batch and does no obligation: for what a page offers, before any action. */
  async ask(questions: readonly Question[], call?: Call): Promise<Outcome[]> {
    if (questions.length === 0) {
      return [];
    }
    const asked = questions.map((q) => ({ ...q, context: { ...q.context, supported_obligations: this.supported } }));
    let answers: Answer[];
    try {
      answers = await this.#decider.decide(asked, call);
      if (!Array.isArray(answers) || answers.length !== questions.length) {
        throw new NoAnswer("the decision point answered another number of questions");
      }
    } catch (thrown) {
      return questions.map(() => withoutAnswer(thrown));
    }
    return answers.map((answer) => this.#outcome(answer));
  }

  #outcome(answer: Answer): Outcome {
    try {
      return this.#judge(read(answer));
    } catch (thrown) {
      return withoutAnswer(thrown);
    }
  }

  #judge({ allow, reasons, advice, obligations }: ReturnType<typeof read>): Outcome {
    const todo: Task[] = [];
    const unhandled: string[] = [];
    let confirming = false;
    for (const obligation of obligations) {
      const handler = this.#handlers.get(kindOf(obligation));
      if (!handler || !can(handler, obligation)) {
        unhandled.push(obligation.id.slice(0, 200));
      } else if (kindOf(obligation) === confirmKind) {
        confirming = true;
      } else {
        todo.push({ obligation, handler });
      }
    }
    if (!allow) {
      return new Outcome("denied", reasons, advice, obligations, todo);
    }
    if (unhandled.length > 0) {
      const outcome = new Outcome("denied", [unsupported], [], obligations, todo);
      outcome.error = new Error(`the application cannot do ${unhandled.join(", ")}`);
      return outcome;
    }
    return new Outcome(confirming ? "confirmation_required" : "permitted", [], advice, obligations, todo);
  }
}

/** Whether a handler can do an obligation. One that throws is that of a program that does not know what to do. */
function can(handler: Handler, obligation: Obligation): boolean {
  try {
    return handler.can === undefined || handler.can(obligation) === true;
  } catch {
    return false;
  }
}

/** The outcome where there is no answer. Only the messages of this package are known to name nobody. */
function withoutAnswer(thrown: unknown): Outcome {
  const outcome = new Outcome("unavailable");
  outcome.error =
    thrown instanceof NoAnswer ? thrown : new NoAnswer(`asking the decision point has thrown ${kindOfThrown(thrown)}`);
  return outcome;
}
