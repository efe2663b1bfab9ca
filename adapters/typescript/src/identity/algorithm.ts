import { constants, type KeyObject, verify } from "node:crypto";

interface Algorithm {
  /** The name of the key's type in node:crypto, and for elliptic curves the curve. */
  type: "rsa" | "ec" | "ed25519";
  curve?: string;
  hash: string | null;
  padding?: number;
}

const rsa = (hash: string): Algorithm => ({ type: "rsa", hash, padding: constants.RSA_PKCS1_PADDING });
const pss = (hash: string): Algorithm => ({ type: "rsa", hash, padding: constants.RSA_PKCS1_PSS_PADDING });
const ec = (hash: string, curve: string): Algorithm => ({ type: "ec", hash, curve });

/** The algorithms with a public key. HS256 is not among them: anybody who knows the public key could sign with it. */
export const algorithms: Record<string, Algorithm> = {
  RS256: rsa("sha256"),
  RS384: rsa("sha384"),
  RS512: rsa("sha512"),
  PS256: pss("sha256"),
  PS384: pss("sha384"),
  PS512: pss("sha512"),
  ES256: ec("sha256", "prime256v1"),
  ES384: ec("sha384", "secp384r1"),
  ES512: ec("sha512", "secp521r1"),
  EdDSA: { type: "ed25519", hash: null },
};

/** Reports whether a key has the type and the curve that an algorithm needs. */
export function fits(key: KeyObject, name: string): boolean {
  const algorithm = Object.hasOwn(algorithms, name) ? algorithms[name] : undefined;
  return (
    algorithm !== undefined &&
    key.asymmetricKeyType === algorithm.type &&
    (algorithm.curve === undefined || key.asymmetricKeyDetails?.namedCurve === algorithm.curve)
  );
}

/** Verifies the signature of a token by a key that fits the algorithm. */
export function verifySignature(name: string, key: KeyObject, signed: Buffer, signature: Buffer): boolean {
  const algorithm = algorithms[name];
  if (!algorithm || !fits(key, name)) {
    return false;
  }
  const { hash, padding } = algorithm;
  return verify(
    hash,
    signed,
    {
      key,
      dsaEncoding: "ieee-p1363",
      ...(padding === undefined ? {} : { padding }),
      ...(padding === constants.RSA_PKCS1_PSS_PADDING ? { saltLength: constants.RSA_PSS_SALTLEN_DIGEST } : {}),
    },
    signature,
  );
}
