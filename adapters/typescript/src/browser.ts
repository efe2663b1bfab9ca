// For pages: asks the application which actions to offer, and asks people to confirm. It runs in browsers, and imports nothing.

/** A question of a page about the person who looks at it. */
export interface PageAsk {
  action: string;
  resource: { id: string; type?: string };
  location?: string;
}

/** How a page reaches its application. */
export interface AskerOptions {
  /** Where the application answers with offers. */
  url: string;
  /** Default: that of the browser. */
  fetch?: (url: string, init: RequestInit) => Promise<Response>;
  /** Further header fields, such as Authorization; a function is called for each request. */
  headers?: () => Record<string, string>;
}

/** Asks which of some actions the person may do, in order. It rejects if that cannot be found out: then nothing is to be offered. */
export type Asker = (asks: readonly PageAsk[]) => Promise<boolean[]>;

const maxAsks = 200; // that offers takes at once

interface Waiting {
  asks: readonly PageAsk[];
  resolve: (can: boolean[]) => void;
  reject: (error: unknown) => void;
}

/** Makes an asker. What the parts of a page ask at the same time is one request, and no answer is kept. */
export function createAsker(options: AskerOptions): Asker {
  let waiting: Waiting[] = [];
  const flush = () => {
    const batch = waiting;
    waiting = [];
    askAll(
      options,
      batch.flatMap((w) => w.asks),
    ).then(
      (can) => {
        let at = 0;
        for (const { asks, resolve } of batch) {
          resolve(can.slice(at, at + asks.length));
          at += asks.length;
        }
      },
      (error: unknown) => {
        for (const { reject } of batch) {
          reject(error);
        }
      },
    );
  };
  return (asks) =>
    new Promise((resolve, reject) => {
      if (waiting.length === 0) {
        setTimeout(flush, 0);
      }
      waiting.push({ asks, resolve, reject });
    });
}

async function askAll(options: AskerOptions, asks: readonly PageAsk[]): Promise<boolean[]> {
  const can: boolean[] = [];
  for (let start = 0; start < asks.length; start += maxAsks) {
    can.push(...(await askSome(options, asks.slice(start, start + maxAsks))));
  }
  return can;
}

async function askSome({ url, fetch = globalThis.fetch, headers }: AskerOptions, asks: readonly PageAsk[]): Promise<boolean[]> {
  const response = await fetch(url, {
    method: "POST",
    headers: { ...headers?.(), "Content-Type": "application/json", Accept: "application/json" },
    body: JSON.stringify({ asks }),
    credentials: "same-origin",
  });
  if (response.status !== 200) {
    throw new Error(`the application answered with status ${response.status}`);
  }
  const { can } = (await response.json()) as { can?: unknown };
  if (!Array.isArray(can) || can.length !== asks.length) {
    throw new Error("the application sent a malformed answer");
  }
  return can.map((answer) => answer === true);
}

/** An obligation that waits for the person. */
export interface ToConfirm {
  id: string;
  type: string;
  properties: Record<string, unknown>;
}

/** The settings of {@link confirming}. */
export interface ConfirmingOptions {
  /** The header field that the route file names in "confirmed". Default: X-Confirmed. */
  header?: string;
  fetch?: (request: Request) => Promise<Response>;
}

/**
 * A fetch that asks the person where an action has to be confirmed, and then sends the request again with what was confirmed. ask shows
 * the causes and returns whether the person goes on; if not, the refusal is returned.
 */
export function confirming(
  ask: (toConfirm: ToConfirm[]) => boolean | Promise<boolean>,
  { header = "X-Confirmed", fetch = (request) => globalThis.fetch(request) }: ConfirmingOptions = {},
): (input: string | URL | Request, init?: RequestInit) => Promise<Response> {
  return async (input, init) => {
    const request = new Request(input, init);
    const again = request.clone();
    const response = await fetch(request);
    if (response.status !== 403 || !(response.headers.get("Content-Type") ?? "").startsWith("application/problem+json")) {
      return response;
    }
    const problem = (await response.clone().json()) as { code?: unknown; confirm?: unknown };
    if (
      problem.code !== "confirmation_required" ||
      !Array.isArray(problem.confirm) ||
      !(await ask(problem.confirm as ToConfirm[]))
    ) {
      return response;
    }
    again.headers.set(header, "true");
    return fetch(again);
  };
}
