import type { IncomingMessage, ServerResponse } from "node:http";
import type { Checker, Result } from "./checker.js";
import { respond } from "./refusal.js";
import { finish, resultOf } from "./results.js";
import type { Fields } from "./routes/header.js";
import type { HttpRequest } from "./routes/request.js";

/** Reports whether a request comes from an authenticated proxy: by a client certificate, a token or a Unix socket, never by an address. */
export type FromProxy<R> = (request: R) => boolean;

/** The request to judge, as Node.js has received it. */
export function fromNode(incoming: IncomingMessage, fromProxy: () => boolean = () => false): HttpRequest {
  return {
    method: incoming.method ?? "",
    target: incoming.url ?? "",
    fields: fieldsOf(incoming),
    // Over HTTP/2 a body cannot be put back.
    ...(incoming.httpVersionMajor === 1 ? { readBody: (limit: number) => readBody(incoming, limit) } : {}),
    fromProxy,
  };
}

function fieldsOf({ rawHeaders }: IncomingMessage): Fields {
  const fields: [string, string][] = [];
  for (let i = 0; i + 1 < rawHeaders.length; i += 2) {
    fields.push([rawHeaders[i] as string, rawHeaders[i + 1] as string]);
  }
  return fields[0]?.[0].startsWith(":") ? ofHttp2(fields) : fields;
}

/** The fields of a request over HTTP/2, whose host is in :authority. */
function ofHttp2(fields: [string, string][]): [string, string][] {
  const authority = fields.find(([name]) => name === ":authority")?.[1];
  const plain = fields.filter(([name, value]) => !name.startsWith(":") && !(name === "host" && value === authority));
  return authority === undefined ? plain : [["Host", authority], ...plain];
}

/** Reads the whole body and puts it back, so that the application reads it again. undefined if it is longer than the limit. */
function readBody(incoming: IncomingMessage, limit: number): Promise<Buffer | undefined> {
  if (incoming.readableEnded || incoming.readableDidRead) {
    return Promise.reject(new Error("the body has been read before the check"));
  }
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let size = 0;
    const stop = () => {
      incoming.off("readable", read);
      incoming.off("error", broken);
      incoming.off("close", broken);
      incoming.off("end", broken);
    };
    const broken = () => {
      stop();
      reject(new Error("the body broke off"));
    };
    const read = () => {
      for (let chunk: Buffer | null = incoming.read(); chunk !== null; chunk = incoming.read()) {
        chunks.push(chunk);
        size += chunk.length;
      }
      if (size > limit) {
        stop();
        resolve(undefined);
        return;
      }
      if (incoming.complete) {
        stop();
        const body = Buffer.concat(chunks);
        if (body.length > 0) {
          incoming.unshift(body); // before the stream has told its end, which it then does when this has been read
        }
        resolve(body);
      }
    };
    incoming.on("readable", read);
    incoming.on("error", broken);
    incoming.on("close", broken);
    incoming.on("end", broken); // cannot come before the body is complete
  });
}

/** Sends a refusal. */
export function refuse(checker: Checker, result: Result, incoming: IncomingMessage, response: ServerResponse): void {
  if (!result.refusal || response.headersSent) {
    response.destroy();
    return;
  }
  const { status, headers, body } = respond(result.refusal, {
    accept: incoming.headers.accept,
    target: originalTarget(incoming),
    page: checker.page,
  });
  if (!incoming.complete && incoming.httpVersionMajor === 1) {
    headers.Connection = "close"; // what is left of the body is not read
  }
  response.writeHead(status, headers);
  response.end(incoming.method === "HEAD" ? undefined : body);
}

/** The target of a request, as it was received. */
export function originalTarget(incoming: IncomingMessage & { originalUrl?: string }): string {
  return incoming.originalUrl ?? incoming.url ?? "";
}

/**
 * Does the obligations that follow an action, once the application has answered with a status below 400. A client that disconnects
 * undoes no action: what counts is that the application has ended its response, or had begun to send it.
 */
export function finishWhenAnswered(checker: Checker, result: Result, response: ServerResponse): void {
  let answered = false;
  const answer = () => {
    if (!answered && response.statusCode < 400) {
      void finish(checker, result);
    }
    answered = true;
  };
  const end = response.end;
  response.end = function (this: ServerResponse, ...args: unknown[]) {
    const ended = Reflect.apply(end, this, args) as ServerResponse;
    answer();
    return ended;
  } as typeof response.end;
  response.on("close", () => {
    if (response.headersSent) {
      answer();
    }
  });
}

/** The result of an earlier check, without its refusal. */
export function passed(request: object): Result | undefined {
  const result = resultOf(request);
  return result?.pass ? result : undefined;
}
