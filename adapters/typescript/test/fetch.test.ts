import assert from "node:assert/strict";
import { createServer } from "node:http";
import { type AddressInfo, connect } from "node:net";
import { type TestContext, test } from "node:test";
import { Checker, RouteTable } from "@wardkeeper/pep";
import { asks, listener, offers, protect, resultOf } from "@wardkeeper/pep/fetch";
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

test("where the function for proxies throws, there is no answer", async () => {
  const { checker, send } = build();
  const fromProxy = () => {
    throw new Error("jane");
  };
  const named = RouteTable.parse(
    "{version: 1, subject: {header: X-User}, routes: [{path: /, methods: [GET], action: a, resource: {id: x}}]}",
  );
  const proxied = new Checker({ decider: new FakePdp().allow({}), routes: named, logger: checker.logger });
  const answer = await send(
    protect(proxied, () => new Response("served"), { fromProxy }),
    "/",
    { headers: { "X-User": "alice", "X-Request-ID": "r-1" } },
  );
  assert.deepEqual([answer.status, answer.headers.get("X-Request-ID")], [503, "r-1"]);
});

test("a proxy of Next.js, whose page runs afterwards, promises no obligation that follows", async () => {
  const { pdp, done, checker, send } = build();
  for (const header of ["x-middleware-next", "x-middleware-rewrite"]) {
    const proxy = protect(checker, () => new Response(null, { headers: { [header]: "1" } }));
    pdp.allow("user.view");
    assert.equal((await send(proxy, "/users/jane")).status, 200);
    pdp.allow("user.view", { id: "N", type: "notification" });
    const answer = await send(proxy, "/users/jane");
    assert.equal(answer.status, 403);
    assert.equal(((await answer.json()) as { reasons: { code: string }[] }).reasons[0]?.code, "obligation_unsupported");
    assert.deepEqual(done, []);
  }
});

async function serve(t: TestContext, handler: (request: Request) => Promise<Response>): Promise<number> {
  const server = createServer(listener(handler)).listen(0, "127.0.0.1");
  await new Promise((resolve) => server.once("listening", resolve));
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  return (server.address() as AddressInfo).port;
}

/** Sends the bytes of a request, and returns those of the answer. */
function exchange(port: number, text: string): Promise<string> {
  return new Promise((resolve, reject) => {
    let got = "";
    const socket = connect(port, "127.0.0.1", () => socket.write(text));
    socket.on("data", (chunk) => {
      got += chunk;
    });
    socket.on("end", () => resolve(got));
    socket.on("error", reject);
  });
}

test("a listener refuses what the Fetch API does not have as it refuses everything", async (t) => {
  const { checker } = build();
  const port = await serve(
    t,
    protect(checker, () => assert.fail("it is not to be called")),
  );
  for (const line of ["GET http://h/users/jane", "OPTIONS *", "TRACE /users/jane", "GET /users/jane"]) {
    const host = line === "GET /users/jane" ? "h h" : "h";
    const answer = await exchange(port, `${line} HTTP/1.1\r\nHost: ${host}\r\nX-Request-ID: r-1\r\nConnection: close\r\n\r\n`);
    assert.match(answer, /^HTTP\/1.1 400 /, line);
    assert.match(answer, /\r\nX-Request-ID: r-1\r\n/, line);
    assert.match(answer, /\r\nCache-Control: no-store\r\n/, line);
    assert.match(answer, /"code":"bad_request".*"request_id":"r-1"/, line);
  }
});

test("a listener sends no faster than the client reads, and stops when it leaves", async (t) => {
  let pulled = 0;
  let cancelled = () => {};
  const left = new Promise<void>((resolve) => {
    cancelled = resolve;
  });
  const endless = new ReadableStream({
    pull(controller) {
      pulled++;
      controller.enqueue(new Uint8Array(64 << 10));
    },
    cancel: () => cancelled(),
  });
  const port = await serve(t, async () => new Response(endless));
  const socket = connect(port, "127.0.0.1", () => socket.write("GET / HTTP/1.1\r\nHost: h\r\n\r\n"));
  socket.pause();
  let before = -1;
  while (pulled === 0 || pulled !== before) {
    before = pulled;
    await new Promise((wait) => setTimeout(wait, 200));
  }
  assert.ok(pulled < 1000, `${pulled} pieces for a client that does not read`);
  socket.destroy();
  await left;
});

test("a client that leaves in the middle of its body does no harm", async (t) => {
  const { pdp, checker } = build();
  pdp.allow({});
  const port = await serve(
    t,
    protect(checker, async (request) => new Response(await request.text())),
  );
  await new Promise<void>((resolve) => {
    const socket = connect(port, "127.0.0.1", () => {
      socket.write("POST /users/jane/roles HTTP/1.1\r\nHost: h\r\nCookie: session=alice\r\nContent-Length: 100\r\n\r\n{");
      setTimeout(() => socket.destroy(), 50);
    });
    socket.on("close", () => resolve());
  });
  await new Promise((wait) => setTimeout(wait, 50));
  const answer = await exchange(port, "GET /users/jane HTTP/1.1\r\nHost: h\r\nCookie: session=alice\r\nConnection: close\r\n\r\n");
  assert.match(answer, /^HTTP\/1.1 200 /);
});
