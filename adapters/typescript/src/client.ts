import { createHash } from "node:crypto";
import { type Address, parseAddress } from "./address.js";
import { conflict, decodeAnswer, decodeAnswers, decodeClaim, decodePage, NoAnswer } from "./answer.js";
import { Connections, type Message, type TlsOptions } from "./connections.js";
import { isObject, parseObject } from "./json.js";
import {
  type Answer,
  type Call,
  type Claim,
  type Decider,
  type Hit,
  maxEvaluations,
  type Page,
  type Question,
  type Search,
} from "./question.js";

/** The settings of a {@link Client}. Only url is required. */
export interface ClientOptions {
  /** The address of the decision point: http://HOST:PORT, https://HOST or unix:/PATH. */
  url: string;
  /**
   * The bearer token: printable ASCII without spaces, so trim what is read from a file. A function is called for each request, so that
   * the token can be replaced.
   */
  token?: string | (() => string | undefined);
  /** The authorities that vouch for the decision point, and a certificate of one's own. Default: the system's authorities. */
  tls?: TlsOptions;
  /** Bounds a question in milliseconds, the retry included. Default: 1000. */
  timeout?: number;
  /** Bounds the connections, and so the requests in progress. Default: 64. Further requests wait, within the time-out. */
  maxConnections?: number;
  /** Bounds an answer in bytes. Default: 1 MiB. */
  maxResponse?: number;
  /** Bounds the questions in a request. Default, and at most: 1000. */
  batchSize?: number;
}

/** The paths of a decision point's endpoints. What it does not offer is undefined. */
export interface Endpoints {
  evaluation?: string;
  evaluations?: string;
  searchSubject?: string;
  searchResource?: string;
  searchAction?: string;
  /** Wardkeeper's own. */
  guardClaim?: string;
}

/** What a decision point says about itself. */
export interface Metadata {
  policyDecisionPoint: string;
  /** The URLs of the endpoints. */
  endpoints: Endpoints;
  supportedObligations: string[];
}

/** Which page of a list to ask for. */
export interface PageOptions extends Call {
  /** The size of a page. Default: the decision point's. */
  limit?: number;
  token?: string;
}

const standard: Required<Endpoints> = {
  evaluation: "/access/v1/evaluation",
  evaluations: "/access/v1/evaluations",
  searchSubject: "/access/v1/search/subject",
  searchResource: "/access/v1/search/resource",
  searchAction: "/access/v1/search/action",
  guardClaim: "/v1/guards/claim",
};

const wellKnown = "/.well-known/authzen-configuration";

/** A decision point that lists a million results has pages of a hundred and more. */
const maxPages = 10_000;

/** Asks one decision point over HTTP. One client serves a whole process, and uses its connections again. */
export class Client implements Decider {
  readonly #options: ClientOptions;
  readonly #address: Address;
  readonly #connections: Connections;
  readonly #timeout: number;
  readonly #batchSize: number;
  #endpoints: Endpoints;

  /** Makes a client, which does not connect yet. */
  constructor(options: ClientOptions) {
    this.#options = { ...options };
    this.#address = parseAddress(options.url);
    this.#timeout = positive(options.timeout, 1000, "timeout");
    this.#batchSize = Math.min(positive(options.batchSize, maxEvaluations, "batchSize"), maxEvaluations);
    this.#endpoints = Object.fromEntries(Object.entries(standard).map(([name, path]) => [name, this.#address.path + path]));
    const connections = positive(options.maxConnections, 64, "maxConnections");
    this.#connections = new Connections(
      this.#address,
      { connections, ...(options.tls ? { tls: options.tls } : {}) },
      positive(options.maxResponse, 1 << 20, "maxResponse"),
    );
  }

  /**
   * A client that uses the endpoints of the decision point's metadata. They must be those of the URL, and every endpoint must be at
   * its origin, so that metadata cannot send questions to another server.
   */
  static async discover(options: ClientOptions): Promise<Client> {
    const client = new Client(options);
    try {
      client.#use(await client.metadata());
      return client;
    } catch (thrown) {
      client.close();
      throw thrown;
    }
  }

  /** Ends all connections. */
  close(): void {
    this.#connections.close();
  }

  /** Asks one question. */
  async evaluate(question: Question, call?: Call): Promise<Answer> {
    const [answer] = await this.decide([question], call);
    return answer as Answer;
  }

  /** Asks questions: one as an evaluation, several in as few batches as their size allows. */
  async decide(questions: readonly Question[], call: Call = {}): Promise<Answer[]> {
    return this.#within(call, async (signal) => {
      const [first] = questions;
      if (first !== undefined && questions.length === 1) {
        return [decodeAnswer(await this.#post("evaluation", first, call, signal))];
      }
      const answers: Answer[] = [];
      for (let start = 0; start < questions.length; start += this.#batchSize) {
        const chunk = questions.slice(start, start + this.#batchSize);
        const batch = { options: { evaluations_semantic: "execute_all" }, evaluations: chunk };
        const got = decodeAnswers(await this.#post("evaluations", batch, call, signal));
        if (got.length !== chunk.length) {
          throw new NoAnswer(`the decision point answered ${got.length} of ${chunk.length} questions`);
        }
        answers.push(...got);
      }
      return answers;
    });
  }

  /**
   * Claims the guard of an answer to the question (pdp/authzen/PROTOCOL.md, Guards). It is sent once: if it rejects, as after a broken
   * connection, the change may not be made, and the claim may be in force until it expires.
   */
  async claim(question: Question, guard: string, call: Call = {}): Promise<Claim> {
    return this.#within(call, async (signal) => {
      const message = this.#message("guardClaim", { ...question, guard }, call);
      const { status, body } = await this.#connections.send({ ...message, once: true, accepts: conflict }, signal);
      return decodeClaim(status, body);
    });
  }

  /** The subjects of subject.type that may do the action to the resource. */
  searchSubjects(search: Search, options?: PageOptions): AsyncGenerator<Hit, void, undefined> {
    return this.#hits("searchSubject", search, options);
  }

  /** The resources of resource.type to which the subject may do the action. */
  searchResources(search: Search, options?: PageOptions): AsyncGenerator<Hit, void, undefined> {
    return this.#hits("searchResource", search, options);
  }

  /** The actions that the subject may do to the resource. */
  searchActions(search: Search, options?: PageOptions): AsyncGenerator<Hit, void, undefined> {
    return this.#hits("searchAction", search, options);
  }

  /** One page of {@link searchSubjects}. */
  subjectsPage(search: Search, options?: PageOptions): Promise<Page> {
    return this.#page("searchSubject", search, options);
  }

  /** One page of {@link searchResources}. */
  resourcesPage(search: Search, options?: PageOptions): Promise<Page> {
    return this.#page("searchResource", search, options);
  }

  /** The metadata of the decision point. */
  async metadata(call: Call = {}): Promise<Metadata> {
    return this.#within(call, async (signal) => {
      const path = wellKnown + this.#address.path;
      const { body } = await this.#connections.send({ method: "GET", path, headers: this.#headers(call) }, signal);
      return metadataOf(body);
    });
  }

  #use(metadata: Metadata): void {
    const another = new NoAnswer(
      "the metadata are those of another decision point: use the URL that they give as policy_decision_point",
    );
    const base = parseUrl(metadata.policyDecisionPoint);
    const { socketPath, secure, host, path } = this.#address;
    const same =
      base?.protocol === (secure ? "https:" : "http:") && base.host === host && base.pathname.replace(/\/$/, "") === path;
    if (base === undefined || (socketPath === undefined && !same)) {
      throw another;
    }
    const endpoints: Endpoints = {};
    for (const [name, text] of Object.entries(metadata.endpoints) as [keyof Endpoints, string][]) {
      const url = parseUrl(text);
      if (url?.origin !== base.origin || url.username !== "" || url.password !== "" || url.search !== "" || url.hash !== "") {
        throw new NoAnswer("the metadata name an endpoint at another server");
      }
      endpoints[name] = url.pathname;
    }
    this.#endpoints = endpoints;
  }

  /** Bounds the time of work, from before connecting to the end of the answer. */
  async #within<T>(call: Call, work: (signal: AbortSignal) => Promise<T>): Promise<T> {
    const bound = new AbortController();
    const end = () => bound.abort();
    const timer = setTimeout(end, this.#timeout);
    call.signal?.addEventListener("abort", end, { once: true });
    if (call.signal?.aborted) {
      end();
    }
    try {
      return await work(bound.signal);
    } finally {
      clearTimeout(timer);
      call.signal?.removeEventListener("abort", end);
    }
  }

  async #post(endpoint: keyof Endpoints, message: unknown, call: Call, signal: AbortSignal): Promise<Buffer> {
    return (await this.#connections.send(this.#message(endpoint, message, call), signal)).body;
  }

  #message(endpoint: keyof Endpoints, message: unknown, call: Call): Message {
    const path = this.#endpoints[endpoint];
    if (path === undefined) {
      throw new NoAnswer("the decision point does not offer this by its metadata");
    }
    let body: Buffer;
    try {
      body = Buffer.from(JSON.stringify(message));
    } catch {
      throw new NoAnswer("the question cannot be encoded as JSON");
    }
    const headers = { ...this.#headers(call), "Content-Type": "application/json", "Content-Length": String(body.length) };
    return { method: "POST", path, headers, body };
  }

  #headers(call: Call): Record<string, string> {
    const headers: Record<string, string> = { Accept: "application/json" };
    const token = typeof this.#options.token === "function" ? this.#options.token() : this.#options.token;
    if (token && /[^!-~]/.test(token)) {
      throw new NoAnswer(
        "the token for the decision point has a line break, a space or another character that no token has: remove it",
      );
    }
    if (token) {
      headers.Authorization = `Bearer ${token}`;
    }
    const { requestId, traceparent, tracestate } = call.trace ?? {};
    for (const [name, value] of Object.entries({ "X-Request-ID": requestId, Traceparent: traceparent, Tracestate: tracestate })) {
      if (value && /[^\t -~]/.test(value)) {
        throw new NoAnswer(`the ${name} of the call has a line break or another character that no field has: remove it`);
      }
      if (value) {
        headers[name] = value;
      }
    }
    return headers;
  }

  async #page(endpoint: keyof Endpoints, search: Search, options: PageOptions = {}): Promise<Page> {
    const message = searchMessage(endpoint, search);
    message.page = {
      ...(options.token ? { token: options.token } : {}),
      ...(options.limit === undefined ? {} : { limit: options.limit }),
    };
    return this.#within(options, async (signal) => decodePage(await this.#post(endpoint, message, options, signal)));
  }

  /**
   * Yields the hits of all pages, each of which is a request with its own time-out. If a page fails, the list ends with an error and
   * is incomplete. The number of pages is bounded, and no token may come twice, so that a list ends whatever is sent.
   */
  async *#hits(endpoint: keyof Endpoints, search: Search, options: PageOptions = {}): AsyncGenerator<Hit, void, undefined> {
    const followed = new Set<string>();
    let token = options.token ?? "";
    for (;;) {
      followed.add(digest(token));
      const page = await this.#page(endpoint, search, { ...options, token });
      token = page.nextToken ?? "";
      if (token !== "" && followed.has(digest(token))) {
        throw new NoAnswer("the decision point continues the list where it has been");
      }
      if (token !== "" && followed.size === maxPages) {
        throw new NoAnswer(`the list has more than ${maxPages} pages: ask for larger ones, or narrow the search`);
      }
      yield* page.results;
      if (token === "") {
        return;
      }
    }
  }
}

function digest(token: string): string {
  return createHash("sha256").update(token).digest("base64");
}

function positive(value: number | undefined, otherwise: number, name: string): number {
  if (value === undefined) {
    return otherwise;
  }
  if (!Number.isSafeInteger(value) || value <= 0) {
    throw new TypeError(`${name} is not a positive whole number.`);
  }
  return value;
}

function parseUrl(text: string): URL | undefined {
  try {
    return new URL(text);
  } catch {
    return undefined;
  }
}

/** The message of a search, in which what is searched for has no id. */
function searchMessage(endpoint: keyof Endpoints, search: Search): Record<string, unknown> {
  const { id: _subject, ...anySubject } = search.subject;
  const { id: _resource, ...anyResource } = search.resource;
  const message: Record<string, unknown> = {
    subject: endpoint === "searchSubject" ? anySubject : search.subject,
    resource: endpoint === "searchResource" ? anyResource : search.resource,
  };
  if (endpoint !== "searchAction") {
    message.action = search.action;
  }
  if (search.context !== undefined) {
    message.context = search.context;
  }
  return message;
}

function metadataOf(body: Buffer): Metadata {
  const malformed = new NoAnswer("the decision point sent malformed metadata");
  let members: Record<string, unknown>;
  try {
    members = parseObject(body);
  } catch {
    throw malformed;
  }
  const text = (name: string): string | undefined => {
    const value = members[name];
    if (value === undefined || value === null) {
      return undefined;
    }
    if (typeof value !== "string") {
      throw malformed;
    }
    return value;
  };
  const policyDecisionPoint = text("policy_decision_point");
  const endpoints: Endpoints = {};
  for (const [name, member] of Object.entries({
    evaluation: "access_evaluation_endpoint",
    evaluations: "access_evaluations_endpoint",
    searchSubject: "search_subject_endpoint",
    searchResource: "search_resource_endpoint",
    searchAction: "search_action_endpoint",
    guardClaim: "guard_claim_endpoint",
  }) as [keyof Endpoints, string][]) {
    const url = text(member);
    if (url) {
      endpoints[name] = url;
    }
  }
  if (!policyDecisionPoint || !endpoints.evaluation || !isObject(members)) {
    throw malformed;
  }
  const obligations = Array.isArray(members.supported_obligations) ? members.supported_obligations : [];
  return { policyDecisionPoint, endpoints, supportedObligations: obligations.filter((o) => typeof o === "string") };
}
