import type { Obligation, Reason } from "./answer.js";

/** The code of a refusal, for programs. */
export type RefusalCode = "bad_request" | "unauthenticated" | "denied" | "confirmation_required" | "unavailable";

/** The response that a person gets instead of the action. */
export interface Refusal {
  status: 400 | 401 | 403 | 503;
  code: RefusalCode;
  /** One sentence for the person. */
  detail: string;
  reasons: Reason[];
  advice: Reason[];
  /** What the person has to confirm before asking again. */
  confirm: Obligation[];
  requestId?: string;
}

/** The reason of a denial because of an obligation; a decision point gives the same one. */
export const unsupported: Reason = {
  code: "obligation_unsupported",
  message: "The application cannot do what this would require of it.",
  rule: "ALL-13",
};

const titles = { 400: "Bad Request", 401: "Unauthorized", 403: "Forbidden", 503: "Service Unavailable" } as const;

function refusal(status: Refusal["status"], code: RefusalCode, detail: string, more: Partial<Refusal> = {}): Refusal {
  return { status, code, detail, reasons: [], advice: [], confirm: [], ...more };
}

/** Refuses a request that is ambiguous or malformed. detail is a sentence for the person. */
export function badRequest(detail: string): Refusal {
  return refusal(400, "bad_request", detail);
}

/** Refuses a request whose sender has not signed in. */
export function unauthenticated(detail = "Sign in first."): Refusal {
  return refusal(401, "unauthenticated", detail);
}

/** Refuses a request that matches no route. */
export function noRoute(): Refusal {
  const message = "No route allows this request.";
  return refusal(403, "denied", "Nobody may do this.", { reasons: [{ code: "no_route", message }] });
}

/** Refuses an action that is not permitted. */
export function denied(reasons: Reason[], advice: Reason[]): Refusal {
  return refusal(403, "denied", reasons[0]?.message || "You may not do this.", { reasons, advice });
}

/** Refuses an action until the person has confirmed it. */
export function confirmationRequired(confirm: Obligation[], advice: Reason[]): Refusal {
  return refusal(403, "confirmation_required", "This has to be confirmed first.", { confirm, advice });
}

/** Refuses a request about which there is no answer. */
export function unavailable(detail = "Whether you may do this could not be found out. Try again."): Refusal {
  return refusal(503, "unavailable", detail);
}

/** A response in the making: every front sends it in its framework's way. */
export interface RefusalResponse {
  status: number;
  headers: Record<string, string>;
  body: string;
}

/** Makes the page of a refusal, for the target of the request: its path and query. Texts in the page have to be escaped. */
export type RefusalPage = (refusal: Refusal, target: string) => string;

/**
 * The response of a refusal: a page if the Accept field names text/html, else problem details (RFC 9457). Where page throws, the
 * ready-made one is sent.
 */
export function respond(
  refused: Refusal,
  { accept, target, page = refusalPage }: { accept: string | undefined; target: string; page: RefusalPage | undefined },
): RefusalResponse {
  const html = wantsPage(accept ?? "");
  const body = html ? pageOf(refused, target, page) : JSON.stringify(problemOf(refused));
  const headers: Record<string, string> = {
    "Content-Type": html ? "text/html; charset=utf-8" : "application/problem+json",
    "Content-Length": String(Buffer.byteLength(body)),
    "Cache-Control": "no-store",
    Vary: "Accept",
    "X-Content-Type-Options": "nosniff",
  };
  if (refused.status === 401) {
    headers["WWW-Authenticate"] = "Bearer";
  }
  if (refused.status === 503) {
    headers["Retry-After"] = "1";
  }
  if (refused.requestId) {
    headers["X-Request-ID"] = refused.requestId;
  }
  return { status: refused.status, headers, body };
}

function pageOf(refused: Refusal, target: string, page: RefusalPage): string {
  try {
    return page(refused, target);
  } catch {
    return refusalPage(refused);
  }
}

/** The problem details of a refusal. */
export function problemOf(refused: Refusal): Record<string, unknown> {
  const { status, code, detail, reasons, advice, confirm, requestId } = refused;
  const problem: Record<string, unknown> = { title: titles[status], status, code, detail };
  for (const [name, list] of Object.entries({ reasons, advice, confirm })) {
    if (list.length > 0) {
      problem[name] = list;
    }
  }
  if (requestId) {
    problem.request_id = requestId;
  }
  return problem;
}

function wantsPage(accept: string): boolean {
  for (const part of accept.split(",")) {
    const [type = "", ...parameters] = part.split(";").map((text) => text.trim().toLowerCase());
    if (type === "text/html") {
      const quality = parameters.find((text) => /^q\s*=/.test(text));
      return quality === undefined || !(Number(quality.replace(/^q\s*=/, "")) <= 0);
    }
  }
  return false;
}

/** The ready-made page of a refusal. */
export function refusalPage(refused: Refusal): string {
  const title = titles[refused.status];
  const sentences = [...refused.reasons, ...refused.advice]
    .map((reason) => reason.message ?? "")
    .filter((message) => message !== "" && message !== refused.detail)
    .concat(
      refused.confirm.flatMap((o) => (typeof o.properties.cause === "string" ? [o.properties.cause.replaceAll("_", " ")] : [])),
    );
  const list = sentences.length > 0 ? `<ul>${sentences.map((text) => `<li>${escapeHtml(text)}</li>`).join("")}</ul>` : "";
  const request = refused.requestId ? `<p><small>Request ${escapeHtml(refused.requestId)}</small></p>` : "";
  return (
    `<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">` +
    `<title>${title}</title></head>` +
    `<body style="font:1.1rem/1.5 sans-serif;max-width:40rem;margin:4rem auto;padding:0 1rem">` +
    `<h1>${title}</h1><p>${escapeHtml(refused.detail)}</p>${list}${request}</body></html>`
  );
}

function escapeHtml(text: string): string {
  const entities: Record<string, string> = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#39;" };
  return text.replace(/[&<>"']/g, (c) => entities[c] as string);
}
