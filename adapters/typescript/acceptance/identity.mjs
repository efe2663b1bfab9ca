// An identity provider for tests.

import { generateKeyPairSync, sign } from "node:crypto";

const ours = generateKeyPairSync("ec", { namedCurve: "P-256" });
const other = generateKeyPairSync("ec", { namedCurve: "P-256" });

/** The JSON Web Key Set. */
export const keySet = JSON.stringify({ keys: [{ ...ours.publicKey.export({ format: "jwk" }), kid: "k1" }] });

/** The Authorization field of a person. kind is "expired" or "forged" for a token that is not valid. */
export function signIn(claims, kind) {
  const part = (value) => Buffer.from(JSON.stringify(value)).toString("base64url");
  const exp = Math.floor(Date.now() / 1000) + (kind === "expired" ? -3600 : 3600);
  const signed = `${part({ alg: "ES256", kid: "k1" })}.${part({ iss: "https://idp.example.org", aud: "user-admin", exp, ...claims })}`;
  const key = (kind === "forged" ? other : ours).privateKey;
  return `Bearer ${signed}.${sign("sha256", Buffer.from(signed), { key, dsaEncoding: "ieee-p1363" }).toString("base64url")}`;
}
