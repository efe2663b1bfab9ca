// The real Next.js: handlers of the app router, and a proxy before pages. NEXT is a folder with next/ and what it needs installed.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";
import { test } from "node:test";
import { FakePdp } from "@wardkeeper/pep/testing";
import { keySet, signIn } from "./identity.mjs";
import { start } from "./program.mjs";

const { NEXT = "." } = process.env;

const routes = `
version: 1
subject:
  jwt: { keys_file: ${join(NEXT, "keys.json")}, issuer: "https://idp.example.org", audience: user-admin, algorithms: [ES256] }
routes:
  - { path: "/users/{id}", methods: [GET], action: user.view, resource: { id: { path: id } } }
  - { path: "/users/{id}", methods: [POST], action: user.edit, resource: { id: { path: id } }, properties: { name: { body: /name } } }
  - { path: "/pages/{id}", methods: [GET], action: page.view, resource: { id: { path: id } } }
`;

/** Sends the bytes of a request, and returns the status line of the answer. */
async function raw(url, target) {
  const { hostname, port } = new URL(url);
  const socket = connect(Number(port), hostname);
  socket.write(`GET ${target} HTTP/1.1\r\nHost: h\r\nAuthorization: ${signIn({ sub: "alice" })}\r\nConnection: close\r\n\r\n`);
  let text = "";
  socket.on("data", (chunk) => {
    text += chunk;
  });
  await once(socket, "close");
  return text;
}

test("Next.js", { skip: !process.env.NEXT }, async (t) => {
  const pdp = new FakePdp();
  const url = await pdp.listen();
  t.after(() => pdp.close());
  writeFileSync(join(NEXT, "keys.json"), keySet);
  writeFileSync(join(NEXT, "routes.yaml"), routes);
  const env = { ...process.env, PDP_URL: url, NEXT_TELEMETRY_DISABLED: "1" };
  const next = join(NEXT, "node_modules/next/dist/bin/next");
  execFileSync(process.execPath, [next, "build"], { cwd: NEXT, env, stdio: "pipe" });
  const server = await start(
    t,
    process.execPath,
    [next, "start", "--hostname", "127.0.0.1", "--port", "0"],
    /http:\/\/127.0.0.1:(\d+)/,
    {
      cwd: NEXT,
      env,
    },
  );
  const base = `http://127.0.0.1:${server.found}`;
  const send = async (path, { headers, ...init } = {}) => {
    const response = await fetch(base + path, { ...init, headers: { Authorization: signIn({ sub: "alice" }), ...headers } });
    return { status: response.status, headers: response.headers, text: await response.text() };
  };
  const json = { "Content-Type": "application/json" };

  await t.test("a handler answers what is permitted", async () => {
    const refused = await send("/users/jane", { headers: { "X-Request-ID": "r-1" } });
    assert.equal(refused.status, 403);
    assert.equal(refused.headers.get("Content-Type"), "application/problem+json");
    assert.equal(refused.headers.get("X-Request-ID"), "r-1");
    assert.equal((await send("/users/jane", { headers: { Authorization: "" } })).status, 401);
    pdp.allow({ action: "user.view", resource: "jane" }, { id: "N", type: "notification" });
    assert.deepEqual(JSON.parse((await send("/users/jane")).text), { id: "jane", by: "alice" });
    assert.deepEqual(JSON.parse((await send("/users/j%61ne")).text), { id: "jane", by: "alice" });
    assert.equal(pdp.questions.at(-1).resource.id, "jane");
    assert.match(server.output(), /done N/);
  });
  await t.test("a body is read by the question and by the handler", async () => {
    pdp.allow("user.edit");
    const added = await send("/users/jane", { method: "POST", headers: json, body: '{"name":"x"}' });
    assert.deepEqual([added.status, added.text], [200, '{"name":"x"}']);
    assert.deepEqual(pdp.questions.at(-1).action.properties, { name: "x" });
  });
  await t.test("a page asks what to offer", async () => {
    const body = JSON.stringify({ asks: [{ action: "user.view", resource: { id: "jane" } }] });
    assert.equal((await send("/can", { method: "POST", headers: json, body })).text, '{"can":[true]}');
  });
  await t.test("a proxy lets pages through that are permitted", async () => {
    assert.equal((await send("/pages/jane", { headers: { Accept: "text/html" } })).status, 403);
    assert.equal((await send("/pages/jane?_rsc=1", { headers: { RSC: "1", "Next-Url": "/" } })).status, 403);
    pdp.allow("page.view");
    const shown = await send("/pages/jane");
    assert.deepEqual([shown.status, /the page of (<!-- -->)?jane/.test(shown.text)], [200, true]);
    pdp.allow("page.view", { id: "N", type: "notification" });
    assert.equal((await send("/pages/jane")).status, 403, "the obligation would follow the page");
    pdp.fail();
    assert.equal((await send("/pages/jane")).status, 503);
    assert.equal((await send("/users/jane")).status, 503);
  });
  await t.test("no other spelling reaches what is protected", async () => {
    pdp.reset();
    for (const target of [
      "/pages/jane/",
      "//pages/jane",
      "/x/../pages/jane",
      "/x/%2e%2e/pages/jane",
      "/pages%2Fjane",
      "/pages/jane?_rsc=1",
      "/Pages/jane",
      "/%70ages/jane",
      "/pages/jane.rsc",
      "/_next/data/x/pages/jane.json",
      `${base}/pages/jane`,
      "/pages/jane%2F..%2Fx",
      "/users/jane/",
      "//users/jane",
      "/%75sers/jane",
      "/users/jane.rsc",
    ]) {
      const answer = await raw(base, target);
      assert.doesNotMatch(answer, /^HTTP\/1.1 200/, target);
      assert.doesNotMatch(answer, /the page of|"by"/, target);
    }
  });
});
