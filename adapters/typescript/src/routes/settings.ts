/** The limits of a route file: bytes, and routes. */
export const maxFile = 1 << 20;
export const maxRoutes = 10_000;

/** How the person is identified: by a token, or by the header in which an authenticated proxy names the person. */
export interface Subject {
  jwt?: TokenSettings;
  header?: string;
}

/** How the person's token is verified. Exactly one of keysUrl and keysFile is set. */
export interface TokenSettings {
  /** The URL of the JSON Web Key Set: https, or http to this machine. */
  keysUrl?: string;
  /** A file with the set, which is read again when it changes. */
  keysFile?: string;
  /** The required value of iss. */
  issuer: string;
  /** The required value of aud, or one of its values. */
  audience: string;
  /** The accepted values of alg. */
  algorithms: string[];
  /** The claim that is the person's id. */
  claim: string;
  /** The cookie with the token. Without it, the token is in the Authorization field, as Bearer. */
  cookie?: string;
}
