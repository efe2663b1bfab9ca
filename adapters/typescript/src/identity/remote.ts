import type { KeyObject } from "node:crypto";
import { request as plainRequest } from "node:http";
import { request as secureRequest } from "node:https";
import type { Logger } from "../log.js";
import { KeysUnavailable } from "../routes/person.js";
import { type KeyHint, KeySet, type KeySource } from "./keys.js";

const refreshAfter = 10 * 60_000; // older keys are fetched again, and used meanwhile
const forgetAfter = 24 * 60 * 60_000; // older keys are no longer used
const retryAfter = 15_000; // the minimum time between fetches, whatever key ids tokens name
const fetchTimeout = 5000;
const maxWait = 1000; // for a fetch in progress
const maxKeySet = 256 << 10; // bytes

/** Reports whether a text is an https URL, or an http URL of this machine. */
export function isKeysUrl(text: string): boolean {
  let url: URL;
  try {
    url = new URL(text);
  } catch {
    return false;
  }
  if (url.hostname === "" || url.username !== "" || url.password !== "" || url.hash !== "") {
    return false;
  }
  const local = url.hostname === "localhost" || url.hostname === "[::1]" || /^127\.\d+\.\d+\.\d+$/.test(url.hostname);
  return url.protocol === "https:" || (url.protocol === "http:" && local);
}

/**
 * A key set that is fetched over HTTP, at most once in some seconds: tokens with invented key ids cannot cause more fetches. All trust
 * rests on the keys, so they come from the configured URL alone, and no redirect is followed.
 */
export class RemoteKeys implements KeySource {
  #keys?: KeySet;
  #fetched = Number.NEGATIVE_INFINITY;
  #tried = Number.NEGATIVE_INFINITY;
  #failed = false;
  #running: Promise<void> | undefined;

  constructor(
    readonly url: string,
    readonly logger: Logger,
    readonly now: () => number = Date.now,
  ) {
    if (!isKeysUrl(url)) {
      throw new TypeError("The URL of the keys is not one of https (or of http at a loopback address).");
    }
  }

  /**
   * Waits for a fetch if no usable key fits the token. While the keys cannot be fetched, the one that is missing may be a new one of the
   * issuer: then it is not known whether the token is valid.
   */
  async find(hint: KeyHint): Promise<KeyObject[]> {
    let found = this.#usable()?.find(hint) ?? [];
    if (found.length === 0 || this.now() - this.#fetched > refreshAfter) {
      this.#start();
    }
    if (found.length === 0 && this.#running) {
      await within(this.#running, maxWait);
      found = this.#usable()?.find(hint) ?? [];
    }
    if (found.length === 0 && (this.#usable() === undefined || this.#failed)) {
      throw new KeysUnavailable();
    }
    return found;
  }

  #usable(): KeySet | undefined {
    return this.now() - this.#fetched > forgetAfter ? undefined : this.#keys;
  }

  #start(): void {
    if (this.#running || this.now() - this.#tried < retryAfter) {
      return;
    }
    this.#tried = this.now();
    this.#running = fetchKeys(this.url).then(
      (keys) => {
        this.#keys = keys;
        this.#fetched = this.now();
        this.#failed = false;
        this.#running = undefined;
      },
      (thrown: Error) => {
        this.logger.warn("the issuer's keys cannot be fetched", { error: thrown.message });
        this.#failed = true;
        this.#running = undefined;
      },
    );
  }
}

/** Waits for work, or throws if it takes too long. */
async function within(work: Promise<void>, time: number): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new KeysUnavailable()), time);
  });
  try {
    await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}

function fetchKeys(url: string): Promise<KeySet> {
  return new Promise((resolve, reject) => {
    const request = (url.startsWith("https:") ? secureRequest : plainRequest)(url, {
      headers: { Accept: "application/jwk-set+json, application/json" },
      agent: false,
      ...(url.startsWith("https:") ? { rejectUnauthorized: true } : {}),
    });
    const fail = (error: Error) => {
      clearTimeout(timer);
      request.destroy();
      reject(error);
    };
    const timer = setTimeout(() => fail(new Error("it takes too long")), fetchTimeout);
    request.on("error", (error: NodeJS.ErrnoException) => fail(new Error(`the connection failed: ${error.code ?? "unknown"}`)));
    request.on("response", (response) => {
      if (response.statusCode !== 200) {
        fail(new Error(`status ${response.statusCode}`));
        return;
      }
      const chunks: Buffer[] = [];
      let size = 0;
      response.on("data", (chunk: Buffer) => {
        size += chunk.length;
        if (size > maxKeySet) {
          fail(new Error(`the key set is larger than ${maxKeySet} bytes`));
          return;
        }
        chunks.push(chunk);
      });
      response.on("error", () => fail(new Error("the answer broke off")));
      response.on("end", () => {
        clearTimeout(timer);
        try {
          resolve(new KeySet(Buffer.concat(chunks)));
        } catch (thrown) {
          reject(thrown as Error);
        }
      });
    });
    request.end();
  });
}
