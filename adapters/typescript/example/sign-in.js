// Stands for an identity provider: anybody may be anybody. It signs tokens and writes the public key into keys.json.

import { generateKeyPairSync, sign } from "node:crypto";
import { writeFileSync } from "node:fs";

const { publicKey, privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
writeFileSync("keys.json", JSON.stringify({ keys: [{ ...publicKey.export({ format: "jwk" }), kid: "example" }] }));

/** A token of a person who stands at a location. */
export function tokenOf(person, location) {
  const part = (value) => Buffer.from(JSON.stringify(value)).toString("base64url");
  const exp = Math.floor(Date.now() / 1000) + 3600;
  const claims = { iss: "https://idp.example.org", aud: "example", sub: person, location, exp };
  const signed = `${part({ alg: "ES256", kid: "example" })}.${part(claims)}`;
  return `${signed}.${sign("sha256", Buffer.from(signed), { key: privateKey, dsaEncoding: "ieee-p1363" }).toString("base64url")}`;
}
