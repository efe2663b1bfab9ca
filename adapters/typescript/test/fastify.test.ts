import assert from "node:assert/strict";
import { test } from "node:test";
import { Checker, RouteTable } from "@wardkeeper/pep";
import { asks, offers, protect, resultOf, unreadable } from "@wardkeeper/pep/fastify";
import { FakePdp } from "@wardkeeper/pep/testing";
import Fastify from "fastify";
import { recording } from "./question.js";

const routes = RouteTable.parse(`
version: 1
subject: {jwt: {keys: "https://idp.example.org/", issuer: i, audience: a, algorithms: [ES256]}}
routes:
  - {path: /can, methods: [POST], public: true}
  - {path: "/users/{id}", methods: [GET, DELETE], action: user.view, resource: {id: {path: id}}}
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
  const app = Fastify({ frameworkErrors: unreadable(checker) });
  app.addHook("onRequest", protect({ checker }));
  app.register(offers({ checker, url: "/can" }));
  app.get("/users/:id", async (request) => ({ by: resultOf(request)?.subject }));
  app.delete(
    "/users/:id",
    { preHandler: asks(checker, (request) => ({ action: "user.drop", resource: { id: (request.params as { id: string }).id } })) },
    async (_request, reply) => reply.code(204).send(),
  );
  app.post("/users/:id/roles", async (request) => request.body);
  return { pdp, done, app };
}

async function listen(app: ReturnType<typeof build>["app"]): Promise<string> {
  return app.listen({ port: 0, host: "127.0.0.1" });
}

test("requests are judged before they are handled", async (t) => {
  const { pdp, done, app } = build();
  const base = await listen(app);
  t.after(() => app.close());
  const send = (target: string, init: RequestInit & { headers?: Record<string, string> } = {}) =>
    fetch(base + target, { ...init, headers: { Authorization: "Bearer alice", ...init.headers } });

  assert.equal((await send("/users/jane")).status, 403);
  assert.equal((await send("/elsewhere")).status, 403, "also where Fastify has no handler");
  pdp.allow("user.view", { id: "N", type: "notification" });
  assert.deepEqual(await (await send("/users/j%61ne")).json(), { by: "alice" });
  assert.deepEqual(done, ["N"]);
  assert.equal((await send("/users/jane", { method: "HEAD" })).status, 200);

  assert.equal((await send("/users/jane", { method: "DELETE" })).status, 403, "the second question has the answer no");
  pdp.allow("user.drop");
  assert.equal((await send("/users/jane", { method: "DELETE" })).status, 204);
  assert.equal(pdp.questions.at(-1)?.subject.id, "alice");

  pdp.allow("assignment.add");
  const headers = { "Content-Type": "application/json" };
  const added = await send("/users/jane/roles", { method: "POST", headers, body: '{"role":"ed"}' });
  assert.deepEqual(await added.json(), { role: "ed" });
  assert.deepEqual(pdp.questions.at(-1)?.action.properties, { role: "ed" });

  const body = JSON.stringify({
    asks: [
      { action: "user.view", resource: { id: "jane" } },
      { action: "x", resource: { id: "jane" } },
    ],
  });
  assert.deepEqual(await (await send("/can", { method: "POST", headers, body })).json(), { can: [true, false] });
  assert.equal((await send("/can", { method: "POST", headers: { ...headers, Authorization: "" }, body })).status, 401);

  const unread = await send("/users/%ff");
  assert.deepEqual([unread.status, ((await unread.json()) as { code: string }).code], [400, "bad_request"]);
});

test("over HTTP/2 the host is the authority", async (t) => {
  const { connect } = await import("node:http2");
  const pdp = new FakePdp().allow({});
  const hosted = RouteTable.parse(`
version: 1
subject: {header: X-User}
routes:
  - {path: /, host: app.example.org, methods: [GET], action: a, resource: {id: x}}
  - {path: /, host: app.example.org, methods: [POST], action: a, resource: {id: {body: /id}}}
`);
  const checker = new Checker({ decider: pdp, routes: hosted, logger: recording() });
  const app = Fastify({ http2: true });
  app.addHook("onRequest", protect({ checker, fromProxy: () => true }) as never);
  app.get("/", async () => "seen");
  app.post("/", async () => "posted");
  const base = await app.listen({ port: 0, host: "127.0.0.1" });
  const client = connect(base);
  t.after(async () => {
    client.close();
    await app.close();
  });
  const send = (method: string, authority: string) =>
    new Promise((resolve, reject) => {
      const stream = client.request({ ":method": method, ":authority": authority, "x-user": "bob" });
      stream.on("response", (answered) => {
        resolve(answered[":status"]);
        stream.close();
      });
      stream.on("error", reject);
      stream.end();
    });
  assert.equal(await send("GET", "app.example.org"), 200);
  assert.equal(await send("GET", "other.example.org"), 403);
  assert.equal(await send("POST", "app.example.org"), 503, "a body cannot be read before the application reads it");
});

test("where the function for proxies throws, there is no answer", async (t) => {
  const named = RouteTable.parse(
    "{version: 1, subject: {header: X-User}, routes: [{path: /, methods: [GET], action: a, resource: {id: x}}]}",
  );
  const checker = new Checker({ decider: new FakePdp().allow({}), routes: named, logger: recording() });
  const app = Fastify();
  const fromProxy = () => {
    throw new Error("jane");
  };
  app.addHook("onRequest", protect({ checker, fromProxy }));
  app.get("/", async () => "seen");
  const base = await listen(app);
  t.after(() => app.close());
  const answer = await fetch(base, { headers: { "X-User": "alice" } });
  assert.deepEqual([answer.status, ((await answer.json()) as { code: string }).code], [503, "unavailable"]);
});

test("a path that was changed before the check is not judged", async (t) => {
  const checker = new Checker({ decider: new FakePdp().allow({}), routes, logger: recording() });
  const app = Fastify({ rewriteUrl: () => "/can" });
  app.addHook("onRequest", protect({ checker }));
  app.post("/can", async () => "reached");
  const base = await listen(app);
  t.after(() => app.close());
  const answer = await fetch(`${base}/users/jane`, { method: "POST", headers: { "X-Request-ID": "r-1" } });
  assert.deepEqual([answer.status, answer.headers.get("X-Request-ID")], [503, "r-1"]);
});
