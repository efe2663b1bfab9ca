import {
  type ClientRequest,
  type IncomingMessage,
  Agent as PlainAgent,
  request as plainRequest,
  type RequestOptions,
} from "node:http";
import { Agent as SecureAgent, request as secureRequest } from "node:https";
import type { Socket } from "node:net";
import type { SecureContextOptions } from "node:tls";
import type { Address } from "./address.js";
import { NoAnswer } from "./answer.js";

/** How to prove who the other side is, and this one. Certificates are always verified. */
export type TlsOptions = Pick<SecureContextOptions, "ca" | "cert" | "key" | "passphrase"> & { servername?: string };

/** A request, without its connection. */
export interface Message {
  method: "GET" | "POST";
  path: string;
  headers: Record<string, string>;
  body?: Buffer;
  /** It changes something, so it is sent once. */
  once?: boolean;
  /** A status beside 200 that answers have. */
  accepts?: number;
}

/** An answer. */
export interface Reply {
  status: number;
  body: Buffer;
}

/** What became of one attempt. */
interface Attempt {
  reply?: Reply;
  error?: NoAnswer;
  /** The connection was established, and broke before an answer began. */
  broke: boolean;
}

const idleTime = 60_000;
const maxHeader = 64 << 10;

/** Bounded connections to one address, which are kept and used again. Only HTTP/1.1: a broken connection affects one question. */
export class Connections {
  readonly #agent: PlainAgent;
  readonly #address: Address;
  readonly #tls: TlsOptions;
  /** The number of bytes that a connection had received when its last answer was complete. */
  readonly #received = new WeakMap<Socket, number>();

  constructor(
    address: Address,
    options: { connections: number; tls?: TlsOptions },
    readonly maxResponse: number,
  ) {
    const { ca, cert, key, passphrase, servername } = options.tls ?? {};
    this.#tls = { ca, cert, key, passphrase, ...(servername === undefined ? {} : { servername }) };
    this.#address = address;
    const agent = { keepAlive: true, maxSockets: options.connections, maxFreeSockets: options.connections, timeout: idleTime };
    this.#agent = address.secure ? new SecureAgent(agent) : new PlainAgent(agent);
  }

  /** Ends the connections that are idle, and with all also those in use. */
  close(all = true): void {
    if (all) {
      this.#agent.destroy();
      return;
    }
    for (const sockets of Object.values(this.#agent.freeSockets)) {
      for (const socket of sockets ?? []) {
        socket.destroy();
      }
    }
  }

  /**
   * Sends a request and returns the answer. It tries once more if an established connection breaks before the answer begins: the
   * decision point may have closed it while it was idle. Questions change nothing, so asking again is safe. What fails in another way
   * would fail again.
   */
  async send(message: Message, signal: AbortSignal): Promise<Reply> {
    let attempt = await this.#attempt(message, signal);
    if (attempt.broke && !message.once && !signal.aborted) {
      this.close(false); // the others have probably been closed as well
      attempt = await this.#attempt(message, signal);
    }
    if (attempt.reply === undefined) {
      throw attempt.error ?? new NoAnswer("the decision point did not answer");
    }
    return attempt.reply;
  }

  #open(message: Message): ClientRequest {
    const { hostname, host, port, socketPath, secure } = this.#address;
    const options: RequestOptions = {
      method: message.method,
      path: message.path,
      headers: { ...message.headers, Host: host },
      agent: this.#agent,
      maxHeaderSize: maxHeader,
      insecureHTTPParser: false,
      ...(socketPath === undefined ? { hostname, ...(port === undefined ? {} : { port }) } : { socketPath }),
    };
    return secure ? secureRequest({ ...options, ...this.#tls, rejectUnauthorized: true }) : plainRequest(options);
  }

  #attempt(message: Message, signal: AbortSignal): Promise<Attempt> {
    return new Promise((resolve) => {
      let request: ClientRequest | undefined;
      const settle = (attempt: Attempt) => {
        signal.removeEventListener("abort", abort);
        if (attempt.error) {
          request?.destroy();
        }
        resolve(attempt);
      };
      const abort = () => settle({ error: new NoAnswer("the decision point did not answer in time"), broke: false });
      if (signal.aborted) {
        abort();
        return;
      }
      signal.addEventListener("abort", abort, { once: true });
      try {
        request = this.#open(message);
      } catch {
        settle({ error: new NoAnswer("the request to the decision point cannot be made"), broke: false });
        return;
      }
      this.#follow(request, message, settle);
    });
  }

  /** Follows a request to its end. Promises settle once, so that what comes later does no harm. */
  #follow(request: ClientRequest, message: Message, settle: (attempt: Attempt) => void): void {
    const fail = (text: string, broke = false) => settle({ error: new NoAnswer(text), broke });
    let established = false;
    let begun = () => true;
    let used: Socket | undefined;
    request.on("socket", (socket) => {
      used = socket;
      established = this.#received.has(socket);
      const before = socket.bytesRead;
      begun = () => socket.bytesRead > before;
      if (!established) {
        socket.once(this.#address.secure ? "secureConnect" : "connect", () => {
          established = true;
          this.#received.set(socket, socket.bytesRead);
        });
      } else if (this.#received.get(socket) !== before) {
        socket.destroy();
        fail("the decision point sent an answer before it was asked");
      }
    });
    request.on("error", (error: NodeJS.ErrnoException) => fail(describe(error), established && !begun() && isBreak(error)));
    request.on("upgrade", () => fail("the decision point sent something else than an answer"));
    request.on("response", (response) => {
      const problem = checkHeader(response, message);
      if (problem) {
        settle({ error: problem, broke: false });
        return;
      }
      const chunks: Buffer[] = [];
      let size = 0;
      response.on("data", (chunk: Buffer) => {
        size += chunk.length;
        if (size > this.maxResponse) {
          fail(`the answer of the decision point is larger than ${this.maxResponse} bytes`);
          return;
        }
        chunks.push(chunk);
      });
      response.on("error", () => fail("the decision point broke off its answer"));
      response.on("end", () => {
        if (used) {
          this.#received.set(used, used.bytesRead);
        }
        settle({ reply: { status: response.statusCode ?? 0, body: Buffer.concat(chunks) }, broke: false });
      });
    });
    request.end(message.body);
  }
}

// Only the charset may follow the type: any other parameter may announce another format (RFC 8259, section 11).
const jsonType = /^application\/json(?:[ \t]*;[ \t]*charset=(?:utf-8|"utf-8"))?$/i;

/** Checks everything about an answer but its body. */
function checkHeader(response: IncomingMessage, { headers, accepts }: Message): NoAnswer | undefined {
  if (response.statusCode !== 200 && response.statusCode !== accepts) {
    return new NoAnswer(`the decision point answered with status ${response.statusCode}`, response.statusCode);
  }
  const [type, ...types] = fields(response, "content-type");
  if (type === undefined || types.length > 0 || !jsonType.test(type)) {
    return new NoAnswer("the decision point sent something else than application/json");
  }
  if (fields(response, "content-encoding").length > 0) {
    return new NoAnswer("the decision point sent an encoded answer, which was not asked for");
  }
  const id = headers["X-Request-ID"];
  const ids = fields(response, "x-request-id");
  if (id !== undefined && ids.length > 0 && (ids.length > 1 || ids[0] !== id)) {
    return new NoAnswer("the decision point answered another request");
  }
  return undefined;
}

function fields(response: IncomingMessage, name: string): string[] {
  const values: string[] = [];
  for (let i = 0; i + 1 < response.rawHeaders.length; i += 2) {
    if (response.rawHeaders[i]?.toLowerCase() === name) {
      values.push(response.rawHeaders[i + 1] ?? "");
    }
  }
  return values;
}

/** Whether a connection broke, rather than that something was refused or not understood. */
function isBreak(error: NodeJS.ErrnoException): boolean {
  return error.code === "ECONNRESET" || error.code === "EPIPE" || error.code === "ECONNABORTED";
}

/** Describes a failed connection. It leaves out what was received, which may name persons. */
function describe(error: NodeJS.ErrnoException): string {
  const code = error.code ?? "";
  if (code.startsWith("HPE_")) {
    return "the decision point sent something else than HTTP";
  }
  if (isBreak(error)) {
    return "the decision point broke off the connection";
  }
  if (/CERT|SIGNATURE|ERR_TLS|ERR_SSL|EPROTO/.test(code)) {
    return `the decision point cannot be trusted, or speaks no TLS: ${code}`;
  }
  return `the decision point cannot be reached: ${code || "unknown"}`;
}
