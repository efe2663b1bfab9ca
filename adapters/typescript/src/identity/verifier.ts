import { JsonNumber, parseObject } from "../json.js";
import { consoleLogger, type Logger } from "../log.js";
import { TokenError, type Verifier } from "../routes/person.js";
import type { TokenSettings } from "../routes/settings.js";
import { algorithms, verifySignature } from "./algorithm.js";
import { KeyFile, type KeyHint, type KeySource } from "./keys.js";
import { RemoteKeys } from "./remote.js";

const maxToken = 16 << 10; // bytes
const defaultLeeway = 60; // seconds

/** The settings of a {@link TokenVerifier}. */
export type VerifierOptions = Omit<TokenSettings, "claim" | "cookie"> & {
  /** How far clocks may differ, in seconds. Default: 60. */
  leeway?: number;
  logger?: Logger;
  /** The time in milliseconds. Default: Date.now. */
  now?: () => number;
};

/** Verifies JSON Web Tokens (RFC 7519): signature, issuer, audience and times. */
export class TokenVerifier implements Verifier {
  readonly #options: VerifierOptions;
  readonly #keys: KeySource;
  readonly #now: () => number;

  /** Makes a verifier. It reads the key file, but does not fetch keys. */
  constructor(options: VerifierOptions) {
    const { issuer, audience, keysUrl, keysFile, now = Date.now, logger = consoleLogger } = options;
    if (!issuer || !audience || options.algorithms.length === 0 || !keysUrl === !keysFile) {
      throw new TypeError("The issuer, the audience, the algorithms and either the URL or the file of the keys are required.");
    }
    for (const name of options.algorithms) {
      if (!Object.hasOwn(algorithms, name)) {
        throw new TypeError(`The algorithm "${name}" is not accepted: use ${Object.keys(algorithms).join(", ")}.`);
      }
    }
    this.#options = { ...options, algorithms: [...options.algorithms] };
    this.#now = now;
    this.#keys = keysFile ? new KeyFile(keysFile, logger, now) : new RemoteKeys(keysUrl as string, logger, now);
  }

  async verify(token: string): Promise<Record<string, unknown>> {
    if (token.length > maxToken) {
      throw new TokenError("the token is too long");
    }
    const [header, claims, signature, ...more] = token.split(".");
    if (header === undefined || claims === undefined || signature === undefined || more.length > 0) {
      throw new TokenError("the token does not have three parts");
    }
    const hint = parseHeader(header);
    if (!this.#options.algorithms.includes(hint.algorithm)) {
      throw new TokenError("the algorithm of the token is not accepted");
    }
    const candidates = await this.#keys.find(hint);
    if (candidates.length === 0) {
      throw new TokenError("the issuer has no such key as the token names");
    }
    const signed = Buffer.from(`${header}.${claims}`);
    const bytes = decodeBase64(signature);
    if (!bytes || !candidates.some((key) => verifySignature(hint.algorithm, key, signed, bytes))) {
      throw new TokenError("the signature of the token is not valid");
    }
    return this.#claims(claims);
  }

  /** Checks the claims of a token whose signature is valid. */
  #claims(part: string): Record<string, unknown> {
    const claims = decodePart(part, true);
    if (!claims) {
      throw new TokenError("the claims of the token are malformed");
    }
    const { iss, aud, exp, nbf, iat } = claims;
    if (iss !== this.#options.issuer) {
      throw new TokenError("the token is from another issuer");
    }
    if (!(Array.isArray(aud) ? aud : [aud]).includes(this.#options.audience)) {
      throw new TokenError("the token is for another audience");
    }
    const now = this.#now() / 1000;
    const leeway = this.#options.leeway ?? defaultLeeway;
    const expires = secondsOf(exp);
    if (expires === undefined) {
      throw new TokenError("the token does not expire");
    }
    if (!(now < expires + leeway)) {
      throw new TokenError("the token has expired");
    }
    for (const begins of [nbf, iat]) {
      if (begins !== undefined && begins !== null && !(now + leeway >= (secondsOf(begins) ?? Number.POSITIVE_INFINITY))) {
        throw new TokenError("the token is not valid yet");
      }
    }
    return claims;
  }
}

/** Keys and URLs of keys in the header are ignored: they would let the sender choose who vouches for the token. */
function parseHeader(part: string): KeyHint {
  const members = decodePart(part);
  if (!members) {
    throw new TokenError("the header of the token is malformed");
  }
  const { alg, crit, kid, typ } = members;
  if (crit !== undefined) {
    throw new TokenError("the token has an extension that is not known");
  }
  if (kid !== undefined && typeof kid !== "string") {
    throw new TokenError("the header of the token is malformed");
  }
  if (typ !== undefined && !isAccessToken(typ)) {
    throw new TokenError("the token is not an access token");
  }
  return { algorithm: typeof alg === "string" ? alg : "", keyId: kid ?? "" };
}

/** Reports whether typ is that of an access token (RFC 9068) or of no particular kind. */
function isAccessToken(typ: unknown): boolean {
  return typeof typ === "string" && /^(?:jwt|(?:application\/)?at\+jwt)$/i.test(typ);
}

/** Decodes a part of a token as strictly as a question: a member twice makes it malformed. */
function decodePart(part: string, exact = false): Record<string, unknown> | undefined {
  const bytes = decodeBase64(part);
  try {
    return bytes && parseObject(bytes, exact);
  } catch {
    return undefined;
  }
}

/** Decodes base64url without padding, in its only spelling. */
function decodeBase64(text: string): Buffer | undefined {
  const bytes = Buffer.from(text, "base64url");
  return bytes.toString("base64url") === text ? bytes : undefined;
}

/** A time in seconds since 1970 (RFC 7519, section 2); undefined if the value is none. */
function secondsOf(value: unknown): number | undefined {
  const seconds = value instanceof JsonNumber ? Number(value.text) : value;
  return typeof seconds === "number" && Math.abs(seconds) <= 2 ** 40 ? seconds : undefined;
}
