// Tests of the application against a fake decision point.

import assert from "node:assert/strict";
import { after, before, beforeEach, test } from "node:test";
import { FakePdp } from "@wardkeeper/pep/testing";
import { createApp } from "./app.js";
import { tokenOf } from "./sign-in.js";

const pdp = new FakePdp();
const ended = [];
let server;

before(async () => {
  const list = async () => ({ results: [{ type: "user", id: "jane" }], nextToken: "2" });
  server = createApp({ pdp, list, mail: () => {}, endSessions: (user) => ended.push(user) }).listen(0, "127.0.0.1");
  await new Promise((resolve) => server.once("listening", resolve));
});
after(() => server.close());
beforeEach(() => pdp.reset());

function send(path, method = "GET") {
  const headers = { Cookie: `session=${tokenOf("alice", "metro")}`, Accept: "text/html" };
  return fetch(`http://127.0.0.1:${server.address().port}${path}`, { method, headers, redirect: "manual" });
}

test("the list has a link to its next page", async () => {
  pdp.allow("user.list");
  assert.match(await (await send("/users")).text(), /href="\/users\/jane".*href="\?page=2"/);
  assert.equal(pdp.questions[0].context.current_location, "metro");
});

test("what the person may not do is greyed out", async () => {
  pdp.allow("user.view").allow("user.edit");
  assert.match(await (await send("/users/jane")).text(), /<button >Edit.*<button disabled>Deactivate/);
  assert.equal(pdp.requests, 2);
});

test("a deactivation is confirmed, and ends sessions", async () => {
  pdp.confirm("user.deactivate");
  const asked = await send("/users/jane/deactivate", "POST");
  assert.equal(asked.status, 403);
  assert.match(await asked.text(), /multiple locations.*action="\/users\/jane\/deactivate\/confirmed"/);
  assert.deepEqual(ended, []);
  pdp.allow("user.deactivate", { type: "session_termination", properties: { subject: "jane" } });
  assert.equal((await send("/users/jane/deactivate/confirmed", "POST")).status, 303);
  assert.deepEqual(ended, ["jane"]);
});

test("without an answer nothing is done", async () => {
  pdp.fail();
  assert.equal((await send("/users/jane/deactivate/confirmed", "POST")).status, 503);
});
