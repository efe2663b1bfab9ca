import assert from "node:assert/strict";
import { test } from "node:test";
import { Checker, RouteTable } from "@wardkeeper/pep";
import { asks, offers, protect, resultOf } from "@wardkeeper/pep/fetch";
import { FakePdp } from "@wardkeeper/pep/testing";
import { recording } from "./question.js";

const routes = RouteTable.parse(`
version: 1
subject: {jwt: {keys: "https://idp.example.org/", issuer: i, audience: a, algorithms: [ES256], cookie: session}}
routes:
  - {path: "/users/{id}", methods: [GET], action: user.view, resource: {id: {path: id}}}
  - {path: "/users/{id}/roles", methods: [POST], action: assignment.add, resource: {id: {path: id}}, properties: {role: {body: /role}}}
`);

function build() {
  const pdp = new FakePdp();
  const done: string[] = [];
  const checker = new Checker({
    decider: pdp,
    routes,
    verifier: { verify: async (token: string) => ({ sub: token }) },
    logger: recording(),
    handlers: { notification: { after: ({ id }) => void done.push(id) } },
  });
  const send = (handler: (request: Request) => Promise<Response>, target: string, init: RequestInit = {}) =>
    handler(
      new Request(`https://app.example.org${target}`, {
        ...init,
        headers: { Cookie: "session=alice", ...init.headers } as Record<string, string>,
      }),
    );
  return { pdp, done, checker, send };
}

test("a handler is called for what is permitted", async () => {
  const { pdp, done, checker, send } = build();
  const GET = protect(checker, (request, ...[_context]: [context?: object]) => Response.json({ by: resultOf(request)?.subject }));
  const refused = await send(GET, "/users/jane");
  assert.deepEqual([refused.status, refused.headers.get("Content-Type")], [403, "application/problem+json"]);
  pdp.allow("user.view", { id: "N", type: "notification" });
  assert.deepEqual(await (await send(GET, "/users/jane")).json(), { by: "alice" });
  assert.deepEqual(done, ["N"]);
  const failing = protect(checker, () => new Response("", { status: 500 }));
  await send(failing, "/users/jane");
  assert.deepEqual(done, ["N"]);
  assert.equal((await send(GET, "/users/jane", { headers: { Cookie: "session=alice; session=bob" } })).status, 400);
});

test("the body is read by the question and by the handler", async () => {
  const { pdp, checker, send } = build();
  pdp.allow("assignment.add");
  const POST = protect(checker, async (request) => Response.json(await request.json()));
  const init = { method: "POST", headers: { "Content-Type": "application/json", Cookie: "session=alice" } };
  assert.deepEqual(await (await send(POST, "/users/jane/roles", { ...init, body: '{"role":"ed"}' })).json(), { role: "ed" });
  assert.equal((await send(POST, "/users/jane/roles", { ...init, body: `{"role":"${"x".repeat(100_000)}"}` })).status, 400);
});

test("a question in code, and what a page offers", async () => {
  const { pdp, checker, send } = build();
  pdp.allow({ action: "drop", subject: "bob" });
  const DELETE = asks(
    checker,
    () => ({ subject: "bob", action: "drop", resource: { id: "jane" } }),
    () => new Response("dropped"),
  );
  assert.equal(await (await send(DELETE, "/x")).text(), "dropped");
  const POST = offers(checker);
  const init = { method: "POST", headers: { "Content-Type": "application/json", Cookie: "session=bob" } };
  const body = '{"asks":[{"action":"drop","resource":{"id":"jane"}},{"action":"view","resource":{"id":"jane"}}]}';
  assert.deepEqual(await (await send(POST, "/can", { ...init, body })).json(), { can: [true, false] });
});
