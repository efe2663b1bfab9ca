import assert from "node:assert/strict";
import type { AddressInfo } from "node:net";
import { type TestContext, test } from "node:test";
import { Checker, type CheckerOptions, Client, confirm, type Result, RouteTable } from "@wardkeeper/pep";
import { asks, offers, protect, resultOf } from "@wardkeeper/pep/express";
import { FakePdp } from "@wardkeeper/pep/testing";
import express, { type Express, type NextFunction, type Request, type Response } from "express";
import { recording } from "./question.js";

const routes = RouteTable.parse(`
version: 1
subject: {jwt: {keys: "https://idp.example.org/", issuer: i, audience: a, algorithms: [ES256]}}
defaults:
  current_location: {claim: location}
routes:
  - {path: /open, methods: [GET], public: true}
  - path: /users/{id}
    methods: [GET, DELETE]
    action: user.view
    resource: {id: {path: id}}
    confirmed: {header: X-Confirmed, optional: true}
  - path: /users/{id}/roles
    methods: [POST]
    action: assignment.add
    resource: {id: {path: id}}
    properties: {role: {body: /role}, note: {body: /note, optional: true}}
`);
const verifier = { verify: async (token: string) => ({ sub: token, location: "metro" }) };

async function serve(t: TestContext, build: (app: Express, checker: Checker) => void, more: Partial<CheckerOptions> = {}) {
  const pdp = new FakePdp();
  const logger = recording();
  const done: string[] = [];
  const checker = new Checker({
    decider: pdp,
    routes,
    verifier,
    logger,
    handlers: {
      notification: { after: ({ id }) => void done.push(id) },
      session_termination: {
        after: () => {
          throw new Error("jane");
        },
      },
      "custom/confirm": confirm,
    },
    ...more,
  });
  const app = express();
  build(app, checker);
  const server = app.listen(0, "127.0.0.1");
  await new Promise((resolve) => server.once("listening", resolve));
  t.after(() => server.close());
  const base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const send = async (target: string, init: RequestInit & { headers?: Record<string, string> } = {}) => {
    const response = await fetch(base + target, { ...init, headers: { Authorization: "Bearer alice", ...init.headers } });
    const text = await response.text();
    return { status: response.status, headers: response.headers, text, json: () => JSON.parse(text) };
  };
  return { pdp, logger, done, send, base };
}

function usual(app: Express, checker: Checker): void {
  app.use(protect(checker));
  app.use(express.json());
  app.get("/open", (_request, response) => void response.send("open"));
  app.get("/users/:id", (request, response) => void response.json({ id: request.params.id, by: resultOf(request)?.subject }));
  app.delete("/users/:id", (_request, response) => void response.status(404).send("none"));
  app.post("/users/:id/roles", (request, response) => void response.json(request.body));
}

test("below a mount path, a request is routed by the path that was judged", async (t) => {
  const mounted = RouteTable.parse(`
version: 1
subject: {jwt: {keys: "https://idp.example.org/", issuer: i, audience: a, algorithms: [ES256]}}
routes:
  - {path: /api/me, methods: [GET], public: true}
  - {path: "/api/{id}", methods: [GET], action: user.view, resource: {id: {path: id}}, current_location: {claim: location}}
`);
  const build = (app: Express, checker: Checker) => {
    app.use("/api", protect(checker));
    app.get("/api/me", (_request, response) => void response.send("everybody's"));
    app.get("/api/:id", (request, response) => void response.send(request.params.id));
  };
  const { send } = await serve(t, build, { routes: mounted });
  assert.equal((await send("/api/me")).text, "everybody's");
  assert.equal((await send("/api/m%65?x=1")).text, "everybody's", "not the user me, about whom nobody was asked");
  assert.equal((await send("/api/jane")).status, 403);
});

test("what a check throws does not let Express go on", async (t) => {
  for (const thrown of [undefined, "route", "router", new Error("out of order")]) {
    const build = (app: Express, checker: Checker) => {
      Object.defineProperty(checker, "check", {
        value: () => {
          throw thrown;
        },
      });
      app.get("/users/:id", protect(checker), (_request, response) => void response.send("served"));
      app.get("/users/:id", (_request, response) => void response.send("served"));
      app.use((_error: unknown, _request: Request, response: Response, _next: NextFunction) => void response.status(500).end());
    };
    const { send } = await serve(t, build);
    assert.equal((await send("/users/jane")).status, 500, String(thrown));
  }
});

test("where the function for proxies throws, there is no answer", async (t) => {
  const named = RouteTable.parse(`
version: 1
subject: {header: X-User}
routes:
  - {path: /open, methods: [GET], public: true}
  - {path: "/users/{id}", methods: [GET], action: user.view, resource: {id: {path: id}}}
`);
  for (const thrown of [undefined, new Error("jane")]) {
    const fromProxy = () => {
      throw thrown;
    };
    const build = (app: Express, checker: Checker) => {
      app.post("/can", offers(checker, { fromProxy }));
      app.use(protect(checker, { fromProxy }), (_request, response) => void response.send("served"));
    };
    const { send, logger } = await serve(t, build, { routes: named });
    const headers = { "X-User": "alice", "X-Request-ID": "r-1" };
    for (const [target, method] of [
      ["/users/jane", "GET"],
      ["/open", "GET"],
      ["/can", "POST"],
    ] as const) {
      const answer = await send(target, { method, headers });
      assert.deepEqual([answer.status, answer.json().code, answer.headers.get("X-Request-ID")], [503, "unavailable", "r-1"]);
    }
    assert.ok(!logger.lines.join().includes("jane"));
  }
});

test("what the logger throws changes no answer", async (t) => {
  const log = () => {
    throw new Error("the disk is full");
  };
  const { pdp, send } = await serve(t, usual, { logger: { info: log, warn: log, error: log } });
  assert.equal((await send("/users/jane")).status, 403);
  pdp.allow("user.view", { id: "S", type: "session_termination" });
  assert.equal((await send("/users/jane")).status, 200);
});

test("a request passes if the answer is yes, and is refused otherwise", async (t) => {
  const { pdp, send, logger } = await serve(t, usual);
  assert.equal((await send("/users/jane")).status, 403);
  pdp.allow("user.view");
  assert.deepEqual((await send("/users/jane")).json(), { id: "jane", by: "alice" });
  assert.deepEqual((await send("/%75sers/j%61ne")).json(), { id: "jane", by: "alice" }, "routed by the path that was judged");
  assert.deepEqual(pdp.questions.at(-1)?.context, {
    current_location: "metro",
    supported_obligations: ["custom", "notification", "session_termination"],
  });
  pdp.confirm("user.view");
  const asked = await send("/users/jane", { headers: { Accept: "text/html" } });
  assert.equal(asked.status, 403);
  assert.match(asked.text, /multiple locations/);
  assert.equal((await send("/users/jane", { headers: { "X-Confirmed": "true" } })).status, 200);
  pdp.fail();
  assert.equal((await send("/users/jane")).status, 503);
  assert.equal((await send("/open")).text, "open");
  assert.equal((await send("/elsewhere")).json().reasons[0].code, "no_route");
  assert.ok(!logger.lines.join("\n").match(/alice|jane/), logger.lines.join("\n"));
});

test("a body that the question draws from is read again by the application", async (t) => {
  const { pdp, send, base } = await serve(t, usual);
  pdp.allow("assignment.add");
  const headers = { "Content-Type": "application/json" };
  const body = JSON.stringify({ role: "ed_normal", note: "x".repeat(1000) });
  assert.deepEqual((await send("/users/jane/roles", { method: "POST", headers, body })).json(), JSON.parse(body));
  const chunked = new ReadableStream({
    async start(controller) {
      for (const piece of body.match(/.{1,100}/g) ?? []) {
        controller.enqueue(new TextEncoder().encode(piece));
        await new Promise((resolve) => setTimeout(resolve, 1));
      }
      controller.close();
    },
  });
  const streamed = await fetch(`${base}/users/jane/roles`, {
    method: "POST",
    headers: { ...headers, Authorization: "Bearer alice" },
    body: chunked,
    duplex: "half",
  } as RequestInit);
  assert.deepEqual(await streamed.json(), JSON.parse(body));
  assert.deepEqual(pdp.questions.at(-1)?.action.properties, JSON.parse(body));
  const long = await send("/users/jane/roles", { method: "POST", headers, body: JSON.stringify({ role: "x".repeat(1 << 20) }) });
  assert.equal(long.status, 400);
  assert.equal((await send("/users/jane/roles", { method: "POST", headers })).status, 400);
});

test("obligations follow an answer below 400", async (t) => {
  const { pdp, send, done, logger } = await serve(t, usual);
  pdp.allow("user.view", { id: "N", type: "notification" });
  await send("/users/jane", { method: "DELETE" });
  assert.deepEqual(done, []);
  await send("/users/jane");
  assert.deepEqual(done, ["N"]);
  pdp.allow("user.view", { id: "S", type: "session_termination" });
  assert.equal((await send("/users/jane")).status, 200);
  assert.match(
    logger.lines.at(-1) ?? "",
    /an obligation was not done .*"the obligation S was not done: its handler has thrown a Error"/,
  );
});

test("a person who leaves before the answer does not undo an action that was done", async (t) => {
  let answer = () => {};
  const left = new Promise<void>((resolve) => {
    void serve(t, (app, checker) => {
      app.use(protect(checker));
      app.get("/users/:id", (_request, response) => {
        answer = () => response.json({});
        response.on("close", () => resolve());
      });
    }).then(async ({ pdp, base, done }) => {
      pdp.allow("user.view", { id: "N", type: "notification" });
      const abort = new AbortController();
      const request = fetch(`${base}/users/jane`, { headers: { Authorization: "Bearer alice" }, signal: abort.signal }).catch(
        () => {},
      );
      while (pdp.questions.length === 0) {
        await new Promise((wait) => setTimeout(wait, 5));
      }
      await new Promise((wait) => setTimeout(wait, 20));
      abort.abort();
      await request;
      await left;
      assert.deepEqual(done, [], "the action has not been done yet");
      answer();
      await new Promise((wait) => setImmediate(wait));
      assert.deepEqual(done, ["N"]);
      finished();
    });
  });
  let finished = () => {};
  await new Promise<void>((resolve) => {
    finished = resolve;
  });
});

test("a question in code asks about whoever has signed in", async (t) => {
  const { pdp, send } = await serve(t, (app, checker) => {
    const signedIn = (request: Request, _response: Response, next: NextFunction) => {
      const user = request.headers["x-test-user"];
      Object.assign(request, { user });
      next();
    };
    const who = (request: Request) => (request as { user?: string }).user ?? null;
    app.use(signedIn);
    app.delete(
      "/things/:id",
      asks<Request>(checker, (request) => ({
        subject: who(request),
        action: "thing.drop",
        resource: { type: "thing", id: String(request.params.id) },
      })),
      (_request, response) => void response.send("dropped"),
    );
    app.get(
      "/broken",
      asks(checker, () => {
        throw new Error("jane");
      }),
      (_request, response) => void response.send("no"),
    );
  });
  assert.equal((await send("/things/t1", { method: "DELETE" })).status, 401);
  const headers = { "X-Test-User": "bob" };
  assert.equal((await send("/things/t1", { method: "DELETE", headers })).status, 403);
  pdp.allow({ action: "thing.drop", subject: "bob", resource: "t1" });
  assert.equal((await send("/things/t1", { method: "DELETE", headers })).text, "dropped");
  assert.equal((await send(`/things/${"x".repeat(2000)}`, { method: "DELETE", headers })).status, 400);
  assert.equal((await send("/broken", { headers })).status, 503);
});

test("what a page offers is asked in one batch", async (t) => {
  const { pdp, send } = await serve(t, (app, checker) => {
    app.post("/can", offers(checker));
    usual(app, checker);
  });
  pdp.allow("user.view").confirm("user.edit").deny({ resource: "tom" });
  const ask = (body: unknown, headers: Record<string, string> = {}) =>
    send("/can", { method: "POST", headers: { "Content-Type": "application/json", ...headers }, body: JSON.stringify(body) });
  const about = (action: string, id: string) => ({ action, resource: { id } });
  const answered = await ask({
    asks: [about("user.view", "jane"), about("user.edit", "jane"), about("user.drop", "jane"), about("user.view", "tom")],
  });
  assert.deepEqual(answered.json(), { can: [true, true, false, false] });
  assert.equal(answered.headers.get("Cache-Control"), "no-store");
  assert.equal(pdp.requests, 1);
  assert.deepEqual(pdp.questions[0]?.subject, { type: "user", id: "alice" });
  assert.equal(pdp.questions[0]?.context?.current_location, "metro");
  for (const bad of [
    {},
    { asks: {} },
    { asks: [{ action: 1 }] },
    { asks: [about("a", "")] },
    { asks: Array.from({ length: 201 }, () => about("a", "b")) },
  ]) {
    assert.equal((await ask(bad)).status, 400, JSON.stringify(bad).slice(0, 60));
  }
  assert.equal((await send("/can")).status, 403, "GET matches no route");
  assert.equal((await ask({ asks: [] }, { Authorization: "Basic x" })).status, 401);
  pdp.fail();
  assert.deepEqual((await ask({ asks: [about("user.view", "jane")] })).json(), { can: [false] });
});

test("what was confirmed is not carried over to other questions about the request", async (t) => {
  const confirmedByDefault = RouteTable.parse(`
version: 1
subject: {jwt: {keys: "https://idp.example.org/", issuer: i, audience: a, algorithms: [ES256]}}
defaults:
  current_location: {claim: location}
  confirmed: {header: X-Confirmed}
  at_least: {header: X-At-Least, optional: true}
routes:
  - {path: "/users/{id}", methods: [GET], action: user.view, resource: {id: {path: id}}}
`);
  const about = { resource: { id: "tom" } };
  const { pdp, send } = await serve(
    t,
    (app, checker) => {
      app.post("/can", offers(checker));
      app.use(protect(checker));
      app.get(
        "/users/:id",
        async (request, _response, next) => {
          await checker.can(resultOf(request) as Result, ["user.edit"], about);
          next();
        },
        asks(checker, () => ({ ...about, action: "user.drop" })),
        (_request, response) => void response.send("dropped"),
      );
    },
    { routes: confirmedByDefault },
  );
  pdp.allow("user.view").confirm("user.edit").confirm("user.drop");
  const shared = { "X-At-Least": "t1", "Content-Type": "application/json" };
  const headers = { ...shared, "X-Confirmed": "true" };
  assert.equal((await send("/users/jane", { headers })).json().code, "confirmation_required");
  const body = JSON.stringify({ asks: [{ ...about, action: "user.edit" }] });
  assert.deepEqual((await send("/can", { method: "POST", headers, body })).json(), { can: [true] });
  assert.deepEqual((await send("/can", { method: "POST", headers: shared, body })).json(), { can: [true] });
  assert.deepEqual(
    pdp.questions.map(({ action, context }) => [action.name, context?.confirmed, context?.current_location, context?.at_least]),
    [
      ["user.view", true, "metro", "t1"],
      ["user.edit", undefined, "metro", "t1"],
      ["user.drop", undefined, "metro", "t1"],
      ["user.edit", undefined, "metro", "t1"],
      ["user.edit", undefined, "metro", "t1"],
    ],
  );
});

test("a path that was changed before the check is not judged", async (t) => {
  const { pdp, send } = await serve(t, (app, checker) => {
    app.use((request, _response, next) => {
      request.url = "/users/tom";
      next();
    });
    usual(app, checker);
  });
  pdp.allow("user.view");
  const answer = await send("/open", { headers: { "X-Request-ID": "r-1" } });
  assert.equal(answer.status, 503);
  assert.deepEqual([answer.headers.get("X-Request-ID"), answer.json().request_id], ["r-1", "r-1"]);
});

test("a part of an application is protected by its whole path", async (t) => {
  const { pdp, send } = await serve(t, (app, checker) => {
    app.use("/users", protect(checker), (request, response) => void response.send(request.url));
  });
  pdp.allow("user.view");
  assert.equal((await send("/users/jane?x=1")).text, "/jane?x=1");
  assert.equal((await send("/users/jane/x")).status, 403);
});

test("a page of one's own is shown, and the ready-made one if it throws", async (t) => {
  let page = () => "<p>Mine.</p>";
  const { send } = await serve(t, usual, { page: () => page() });
  const headers = { Accept: "text/html" };
  assert.equal((await send("/users/jane", { headers })).text, "<p>Mine.</p>");
  page = () => {
    throw new Error();
  };
  assert.match((await send("/users/jane", { headers })).text, /^<!doctype html>/);
  assert.equal(
    (await send("/users/jane", { headers: { Accept: "text/html;q=0" } })).headers.get("Content-Type"),
    "application/problem+json",
  );
});

test("texts on a page are escaped", async (t) => {
  const { pdp, send } = await serve(t, usual);
  pdp.deny("user.view", { message: "<script>'\"&" });
  assert.match((await send("/users/jane", { headers: { Accept: "text/html" } })).text, /&lt;script&gt;&#39;&quot;&amp;/);
});

test("through a real connection the trace is passed on", async (t) => {
  const server = new FakePdp().allow("user.view");
  const client = new Client({ url: await server.listen(), timeout: 60_000 });
  t.after(async () => {
    client.close();
    await server.close();
  });
  const { send } = await serve(t, usual, { decider: client });
  const seen = await send("/users/jane", { headers: { "X-Request-ID": "r-1" } });
  assert.equal(seen.status, 200);
  const refused = await send("/users/jane/x", { headers: { "X-Request-ID": "r-1" } });
  assert.deepEqual([refused.headers.get("X-Request-ID"), refused.json().request_id], ["r-1", "r-1"]);
});
