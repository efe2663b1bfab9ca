import { createPublicKey, type JsonWebKey, type KeyObject } from "node:crypto";
import { readFileSync, statSync } from "node:fs";
import { isObject, parseObject } from "../json.js";
import type { Logger } from "../log.js";
import { fits } from "./algorithm.js";

const maxKeySet = 256 << 10; // bytes
const maxKeys = 100;
const minRsa = 2048; // bits

/** What a token says about its key. */
export interface KeyHint {
  algorithm: string;
  keyId: string;
}

/** Finds the keys that may have signed a token; none if the issuer has no such key. */
export interface KeySource {
  find(hint: KeyHint): Promise<KeyObject[]>;
}

interface Key {
  id: string;
  algorithm: string;
  key: KeyObject;
}

/** A set of public keys. */
export class KeySet {
  readonly #keys: Key[] = [];

  /**
   * Reads a JSON Web Key Set (RFC 7517) and keeps the public keys that can verify signatures. It skips keys of types that it does not
   * know, because issuers add new ones.
   */
  constructor(data: Uint8Array) {
    if (data.length > maxKeySet) {
      throw new Error(`the key set is larger than ${maxKeySet} bytes`);
    }
    let keys: unknown;
    try {
      keys = parseObject(data).keys;
    } catch {
      throw new Error("it is not a JSON Web Key Set");
    }
    if (!Array.isArray(keys)) {
      throw new Error("it is not a JSON Web Key Set");
    }
    if (keys.length > maxKeys) {
      throw new Error(`it has more than ${maxKeys} keys`);
    }
    for (const jwk of keys.filter(isObject)) {
      const key = publicKey(jwk);
      if (key) {
        this.#keys.push({ id: textOr(jwk.kid), algorithm: textOr(jwk.alg), key });
      }
    }
    if (this.#keys.length === 0) {
      throw new Error("it has no public key that can verify a signature");
    }
  }

  /** The keys that fit the token's algorithm and have its key id, if it has one. */
  find({ algorithm, keyId }: KeyHint): KeyObject[] {
    return this.#keys
      .filter(
        (k) => (keyId === "" || k.id === keyId) && (k.algorithm === "" || k.algorithm === algorithm) && fits(k.key, algorithm),
      )
      .map((k) => k.key);
  }
}

function textOr(value: unknown): string {
  return typeof value === "string" ? value : "";
}

/** A key, if it is one for verifying. Symmetric and private keys, which an issuer must not publish, and short ones are none. */
function publicKey(jwk: Record<string, unknown>): KeyObject | undefined {
  const { use, key_ops: operations, d, k } = jwk;
  if ((use !== undefined && use !== "sig") || d !== undefined || k !== undefined) {
    return undefined;
  }
  if (operations !== undefined && !(Array.isArray(operations) && operations.includes("verify"))) {
    return undefined;
  }
  try {
    const key = createPublicKey({ key: jwk as JsonWebKey, format: "jwk" });
    return key.asymmetricKeyType === "rsa" && (key.asymmetricKeyDetails?.modulusLength ?? 0) < minRsa ? undefined : key;
  } catch {
    return undefined;
  }
}

/** The time between two looks at the file, in milliseconds. */
const lookAgain = 1000;

/** A key set in a file, which is read again when it has changed. The last good one is kept. */
export class KeyFile implements KeySource {
  #keys: KeySet;
  #seen: string;
  #looked: number;
  #failed = false;

  constructor(
    readonly path: string,
    readonly logger: Logger,
    readonly now: () => number = Date.now,
  ) {
    this.#seen = stamp(path);
    this.#looked = now();
    try {
      this.#keys = read(path);
    } catch (thrown) {
      throw new Error(`the file of the issuer's keys cannot be used: ${(thrown as Error).message}`);
    }
  }

  async find(hint: KeyHint): Promise<KeyObject[]> {
    if (this.now() - this.#looked >= lookAgain) {
      this.#looked = this.now();
      this.#readAgain();
    }
    return this.#keys.find(hint);
  }

  #readAgain(): void {
    try {
      const seen = stamp(this.path);
      if (seen !== this.#seen) {
        this.#keys = read(this.path);
        this.#seen = seen;
      }
      this.#failed = false;
    } catch {
      if (!this.#failed) {
        this.logger.warn("the file of the issuer's keys cannot be read again, the last one counts", {});
      }
      this.#failed = true;
    }
  }
}

function read(path: string): KeySet {
  if (statSync(path).size > maxKeySet) {
    throw new Error(`the key set is larger than ${maxKeySet} bytes`);
  }
  return new KeySet(readFileSync(path));
}

function stamp(path: string): string {
  const { mtimeMs, ctimeMs, size, ino } = statSync(path);
  return `${mtimeMs} ${ctimeMs} ${size} ${ino}`;
}
