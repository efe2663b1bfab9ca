import assert from "node:assert/strict";
import { createHmac, generateKeyPairSync, type KeyObject, sign } from "node:crypto";
import { mkdtempSync, utimesSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { KeysUnavailable, TokenVerifier, type VerifierOptions } from "@wardkeeper/pep";
import { recording } from "./question.js";

const ec = generateKeyPairSync("ec", { namedCurve: "P-256" });
const other = generateKeyPairSync("ec", { namedCurve: "P-256" });
const rsa = generateKeyPairSync("rsa", { modulusLength: 2048 });
const short = generateKeyPairSync("rsa", { modulusLength: 1024 });
const ed = generateKeyPairSync("ed25519");
const p384 = generateKeyPairSync("ec", { namedCurve: "P-384" });

const jwk = (key: KeyObject, more: object = {}) => ({ ...key.export({ format: "jwk" }), ...more });
const keySet = (...keys: object[]) => JSON.stringify({ keys });

const part = (value: unknown) => Buffer.from(typeof value === "string" ? value : JSON.stringify(value)).toString("base64url");
const claims = (more: object = {}) => ({ iss: "i", aud: "a", sub: "alice", exp: 1000, ...more });

function token(header: unknown, payload: unknown, key: KeyObject, hash: string | null = "sha256", options: object = {}): string {
  const signed = `${part(header)}.${part(payload)}`;
  return `${signed}.${sign(hash, Buffer.from(signed), { key, dsaEncoding: "ieee-p1363", ...options }).toString("base64url")}`;
}

function verifier(keys: string, more: Partial<VerifierOptions> = {}): TokenVerifier {
  const path = join(mkdtempSync(join(tmpdir(), "keys")), "keys.json");
  writeFileSync(path, keys);
  const logger = recording();
  return new TokenVerifier({
    keysFile: path,
    issuer: "i",
    audience: "a",
    algorithms: ["ES256"],
    now: () => 900_000,
    logger,
    ...more,
  });
}

test("a token that is right in every way is accepted", async () => {
  const v = verifier(keySet(jwk(ec.publicKey, { kid: "k1", use: "sig" })));
  for (const t of [
    token({ alg: "ES256", kid: "k1" }, claims(), ec.privateKey),
    token({ alg: "ES256" }, claims({ aud: ["x", "a"], nbf: 940, iat: 900.5 }), ec.privateKey),
    token({ alg: "ES256", typ: "at+jwt" }, claims({ exp: 841 }), ec.privateKey),
  ]) {
    assert.equal((await v.verify(t)).sub, "alice");
  }
});

test("every algorithm with a public key works", async () => {
  const p521 = generateKeyPairSync("ec", { namedCurve: "P-521" });
  const salted = { padding: 6, saltLength: -1 };
  for (const [alg, pair, hash, options] of [
    ["RS256", rsa, "sha256", {}],
    ["RS512", rsa, "sha512", {}],
    ["PS384", rsa, "sha384", salted],
    ["ES384", p384, "sha384", {}],
    ["ES512", p521, "sha512", {}],
    ["EdDSA", ed, null, {}],
  ] as const) {
    const v = verifier(keySet(jwk(pair.publicKey)), { algorithms: [alg] });
    assert.equal((await v.verify(token({ alg }, claims(), pair.privateKey, hash, options))).sub, "alice", alg);
  }
});

test("a token that is wrong in one way is not valid", async () => {
  const v = verifier(
    keySet(jwk(ec.publicKey, { kid: "k1" }), jwk(rsa.publicKey, { kid: "r", alg: "RS512" }), jwk(p384.publicKey, { kid: "p" })),
    {
      algorithms: ["ES256", "RS256"],
    },
  );
  const right = token({ alg: "ES256", kid: "k1" }, claims(), ec.privateKey);
  const pem = ec.publicKey.export({ type: "spki", format: "pem" });
  const hmac = `${part({ alg: "HS256" })}.${part(claims())}`;
  const signed = (payload: unknown) => token({ alg: "ES256", kid: "k1" }, payload, ec.privateKey);
  for (const [why, t] of Object.entries({
    "another key": token({ alg: "ES256", kid: "k1" }, claims(), other.privateKey),
    "no such key": token({ alg: "ES256", kid: "k9" }, claims(), ec.privateKey),
    "no signature": `${part({ alg: "none" })}.${part(claims())}.`,
    "an algorithm that is not accepted": token({ alg: "PS256", kid: "r" }, claims(), rsa.privateKey),
    "an algorithm that is not that of the key": token({ alg: "RS256", kid: "r" }, claims(), rsa.privateKey),
    "a curve that is not that of the algorithm": token({ alg: "ES256", kid: "p" }, claims(), p384.privateKey),
    "a public key as secret": `${hmac}.${createHmac("sha256", pem).update(hmac).digest("base64url")}`,
    DER: `${right.split(".").slice(0, 2).join(".")}.${sign("sha256", Buffer.from(right.split(".").slice(0, 2).join(".")), ec.privateKey).toString("base64url")}`,
    "other claims": [right.split(".")[0], part(claims({ sub: "bob" })), right.split(".")[2]].join("."),
    "two parts": right.split(".").slice(0, 2).join("."),
    "four parts": `${right}.x`,
    padding: `${right}=`,
    crit: token({ alg: "ES256", crit: ["x"] }, claims(), ec.privateKey),
    "another type": token({ alg: "ES256", typ: "secevent+jwt" }, claims(), ec.privateKey),
    "a kid that is no text": token({ alg: "ES256", kid: 1 }, claims(), ec.privateKey),
    "a member twice in the header": token('{"alg":"ES256","alg":"ES256"}', claims(), ec.privateKey),
    "a member twice in the claims": signed('{"iss":"i","aud":"a","sub":"alice","sub":"bob","exp":1000}'),
    "another issuer": signed(claims({ iss: "j" })),
    "no issuer": signed(claims({ iss: undefined })),
    "another audience": signed(claims({ aud: ["x"] })),
    expired: signed(claims({ exp: 840 })),
    "no expiry": signed(claims({ exp: undefined })),
    "an expiry that is a text": signed(claims({ exp: "1000" })),
    "not yet valid": signed(claims({ nbf: 961 })),
    "issued in the future": signed(claims({ iat: 961 })),
    "too long": signed(claims({ x: "x".repeat(17_000) })),
  })) {
    await assert.rejects(v.verify(t), { name: "TokenError" }, why);
  }
});

test("keys that are not for verifying are none", () => {
  for (const [why, key] of Object.entries({
    "for encryption": jwk(ec.publicKey, { use: "enc" }),
    "for wrapping": jwk(ec.publicKey, { key_ops: ["wrapKey"] }),
    private: jwk(ec.privateKey),
    symmetric: { kty: "oct", k: "c2VjcmV0" },
    short: jwk(short.publicKey),
    "of an unknown type": { kty: "XYZ" },
  })) {
    assert.throws(() => verifier(keySet(key)), /no public key that can verify/, why);
  }
  assert.throws(() => verifier("[]"), /not a JSON Web Key Set/);
  assert.throws(() => verifier(keySet(jwk(ec.publicKey)), { algorithms: ["HS256"] }), /not accepted/);
});

test("a key file is read again when it has changed, and the last good one is kept", async () => {
  const path = join(mkdtempSync(join(tmpdir(), "keys")), "keys.json");
  writeFileSync(path, keySet(jwk(ec.publicKey)));
  let now = 0;
  const logger = recording();
  const v = new TokenVerifier({
    keysFile: path,
    issuer: "i",
    audience: "a",
    algorithms: ["ES256"],
    now: () => now,
    logger,
  });
  const old = token({ alg: "ES256" }, claims(), ec.privateKey);
  const fresh = token({ alg: "ES256" }, claims(), other.privateKey);
  await v.verify(old);
  writeFileSync(path, "nothing");
  utimesSync(path, 1, 1);
  for (now = 2000; now < 4000; now += 300) {
    await v.verify(old);
  }
  assert.equal(logger.lines.length, 1, "a bad file is told once");
  writeFileSync(path, keySet(jwk(other.publicKey)) + " ".repeat(300 << 10));
  now = 5000;
  await v.verify(old);
  writeFileSync(path, keySet(jwk(other.publicKey)));
  utimesSync(path, 2, 2);
  now = 7000;
  await v.verify(fresh);
  await assert.rejects(v.verify(old));
});

test("keys are fetched once, again for a new key, and never elsewhere", async (t) => {
  let fetched = 0;
  let answer: [number, string, object?] = [500, ""];
  const server = createServer((_request, response) => {
    fetched++;
    response.writeHead(answer[0], { ...answer[2] }).end(answer[1]);
  }).listen(0, "127.0.0.1");
  t.after(() => server.close());
  await new Promise((resolve) => server.once("listening", resolve));
  const keysUrl = `http://127.0.0.1:${(server.address() as AddressInfo).port}/keys`;
  let now = 0;
  const logger = recording();
  const v = new TokenVerifier({ keysUrl, issuer: "i", audience: "a", algorithms: ["ES256"], now: () => now, logger });
  const old = token({ alg: "ES256", kid: "k1" }, claims({ exp: 1e6 }), ec.privateKey);
  const rotated = token({ alg: "ES256", kid: "k2" }, claims({ exp: 1e6 }), other.privateKey);

  await assert.rejects(v.verify(old), KeysUnavailable, "the keys cannot be fetched");
  await assert.rejects(v.verify(old), KeysUnavailable);
  assert.equal(fetched, 1, "tokens cannot cause many fetches");

  now += 20_000;
  answer = [302, "", { Location: keysUrl }];
  await assert.rejects(v.verify(old), KeysUnavailable, "redirects are not followed");
  assert.equal(fetched, 2);

  now += 20_000;
  answer = [200, keySet(jwk(ec.publicKey, { kid: "k1" }))];
  await Promise.all([v.verify(old), v.verify(old)]);
  await v.verify(old);
  assert.equal(fetched, 3);

  await assert.rejects(v.verify(rotated), { name: "TokenError" });
  assert.equal(fetched, 3, "an invented key id causes no fetch at once");
  now += 20_000;
  answer = [200, keySet(jwk(other.publicKey, { kid: "k2" }))];
  await v.verify(rotated);
  assert.equal(fetched, 4);

  now += 20_000;
  answer = [500, ""];
  await assert.rejects(v.verify(old), KeysUnavailable, "it may be a new key");
  await v.verify(rotated);
  now += 25 * 60 * 60_000;
  await assert.rejects(v.verify(rotated), KeysUnavailable, "keys that are too old are no longer used");
  assert.ok(!logger.lines.join().includes("alice"));
});

test("keys come from https, or from this machine", () => {
  for (const keysUrl of [
    "http://idp.example.org/keys",
    "ftp://x",
    "https://u:p@idp.example.org/",
    "x",
    "https://idp.example.org/#a",
  ]) {
    assert.throws(() => new TokenVerifier({ keysUrl, issuer: "i", audience: "a", algorithms: ["ES256"] }), /https/, keysUrl);
  }
});
