import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { type HttpRequest, Problem, type RouteFileError, RouteTable } from "@wardkeeper/pep";

const file = `
version: 1
subject: {jwt: {keys_file: keys.json, issuer: i, audience: a, algorithms: [ES256]}}
defaults:
  current_location: {claim: location, optional: true}
  at_least: {header: X-At-Least, optional: true}
routes:
  - {path: "/open/{rest...}", methods: [GET], public: true}
  - path: /users/{id}
    methods: [GET]
    action: user.view
    resource: {id: {path: id}}
    location: {query: location, optional: true}
    confirmed: {header: X-Confirmed, optional: true}
  - path: /users/{id}/roles
    methods: [POST]
    action: {claim: act}
    resource: {type: member, id: {path: id}, properties: {fixed: [1, x, true]}}
    location: {body: /location}
    properties: {role: {body: /roles/0}, note: {body: /note, optional: true}}
  - {path: /hosted, host: admin.example.org, methods: [GET], action: a, resource: {id: x}}
  - {path: "/{a}/{b}", methods: [PUT], action: b, resource: {id: {path: b}}}
`;
const claims = { sub: "alice", location: "metro", act: "assignment.add" };

function request(target: string, more: { method?: string; fields?: [string, string][]; body?: string } = {}): HttpRequest {
  return {
    method: more.method ?? "GET",
    target,
    fields: [["Host", "example.org"], ["Authorization", "Bearer t"], ...(more.fields ?? [])],
    readBody: async (limit) => ((more.body ?? "").length > limit ? undefined : Buffer.from(more.body ?? "")),
  };
}

const verifier = { verify: async () => claims };

test("a request asks what the route says", async () => {
  const table = RouteTable.parse(file);
  const viewed = await table.resolve(
    request("/users/j%61ne?location=ghi", {
      fields: [
        ["X-Confirmed", "true"],
        ["X-At-Least", "t1"],
      ],
    }),
    verifier,
  );
  assert.deepEqual(viewed.outcome === "question" && viewed.question, {
    subject: { type: "user", id: "alice" },
    action: { name: "user.view" },
    resource: { type: "user", id: "jane", properties: { location: "ghi" } },
    context: { current_location: "metro", confirmed: true, at_least: "t1" },
  });
  assert.equal(viewed.path, "/users/jane");
  const body = '{"location":"ghi","roles":["ed"],"note":null}';
  const json: [string, string][] = [["Content-Type", "application/json"]];
  const added = await table.resolve(request("/users/jane/roles", { method: "POST", fields: json, body }), verifier);
  assert.deepEqual(added.outcome === "question" && added.question, {
    subject: { type: "user", id: "alice" },
    action: { name: "assignment.add", properties: { role: "ed" } },
    resource: { type: "member", id: "jane", properties: { fixed: [1, "x", true], location: "ghi" } },
    context: { current_location: "metro" },
  });
  assert.equal((await table.resolve(request("/open/a/b"))).outcome, "public");
  assert.equal((await table.resolve(request("/open/"))).outcome, "public");
  for (const target of ["/users/jane/", "/Users/jane", "/hosted", "/users/", "/"]) {
    assert.equal((await table.resolve(request(target), verifier)).outcome, "no_route", target);
  }
  assert.equal((await table.resolve(request("/open/x", { method: "HEAD" }))).outcome, "public");
  const put = await table.resolve(request("/users/jane", { method: "PUT" }), verifier);
  assert.equal(put.outcome === "question" && put.question.action.name, "b");
});

test("a request with more than one meaning is refused", async () => {
  const table = RouteTable.parse(file);
  const json: [string, string] = ["Content-Type", "application/json"];
  const post = (body: string, fields: [string, string][] = [json]) =>
    request("/users/jane/roles", { method: "POST", fields, body });
  for (const bad of [
    ...[
      "/open/..",
      "/open/%2e%2e/x",
      "/open//x",
      "/users/a%2Fb",
      "/users/a;b",
      "/users/a%00",
      "/users/a.",
      "/users/%ff",
      "/users/%zz",
      "*",
      "http://x/",
    ].map((target) => request(target)),
    ...[
      "?location=a&location=b",
      "?location=a&LOCATION=b",
      "?location[]=a",
      "?location=",
      "?location=a+b",
      "?a;b",
      "?_method=DELETE",
    ].map((query) => request(`/users/jane${query}`)),
    request("/users/%E2%80%8Bjane"),
    request(`/users/${"x".repeat(1025)}`),
    request("/users/jane", { method: "get" }),
    request("/users/jane", { method: "TRACE" }),
    ...[
      ["X-HTTP-Method-Override", "DELETE"],
      ["X-Original-URL", "/"],
      ["x_wardkeeper.subject", "x"],
      ["Connection", "close, X-Confirmed"],
      ["Upgrade", "h2c"],
      ["Trailer", "X"],
      ["X_Confirmed", "true"],
      ["X-Confirmed", "maybe"],
      ["X-Confirmed", "true, true"],
      ["Content_Length", "1"],
      ["remote_user", "x"],
      ["Host", "other"],
      ["Authorization", "Bearer u"],
    ].map((field) => request("/users/jane", { fields: [field as [string, string]] })),
    request("/users/jane?location=x", { fields: [["Content-Type", "application/x-www-form-urlencoded"]] }),
    post('{"location":"ghi","roles":["ed"],"location":"x"}'),
    post('{"location":"ghi","Location":"x","roles":["ed"]}'),
    post('{"location":"ghi"}'),
    post('{"location":"ghi","roles":[12345678901234567890]}'),
    post('{"location":"ghi","roles":["ed"]}', []),
    post('{"location":"ghi","roles":["ed"]}', [json, ["Content-Encoding", "gzip"]]),
    post(`{"location":"${"x".repeat(70_000)}","roles":["ed"]}`),
    post(""),
  ]) {
    await assert.rejects(
      table.resolve(bad, verifier),
      (thrown) => thrown instanceof Problem && thrown.kind === "bad_request",
      JSON.stringify(bad).slice(0, 200),
    );
  }
});

test("every fault of a file is told", () => {
  const faulty = `version: 2
subject: {header: Cookie}
supported_obligations: [custom, notification/x]
defaults: {host: Example.org, confirmed: {body: /x}}
routes:
  - {path: users, methods: [get, TRACE], action: a, resource: {id: {path: id}}}
  - {path: /a/{b}, methods: [GET], public: true, action: x}
`.replace("path: /a/{b}", 'path: "/a/{b}"');
  const more = `  - {path: "/a/{c}", methods: [GET], action: x, resource: {id: {query: _method}}, what: 1}
  - {path: "/a/{b}", methods: [GET], action: x, resource: {id: {query: q, header: h}}, location: 2020-01-01}
  - {path: /../x, methods: [], action: [], resource: {id: 1}, confirmed: maybe}
`;
  assert.throws(
    () => RouteTable.parse(faulty + more),
    (thrown) => {
      const messages = (thrown as RouteFileError).faults.map((fault) => `${fault.line}: ${fault.message}`).join("\n");
      for (const want of [
        "1: version is not 1",
        "2: the header Cookie cannot be drawn from",
        "3: the obligation custom is not supported as such",
        "is not an obligation type",
        "4: host ",
        "4: a default draws from the body",
        '6: path "users" does not begin with a slash',
        '6: "get" is not a method',
        "6: TRACE is refused always",
        "7: action is for routes that are asked about",
        '8: "what" is not a key of a route',
        "8: requests with the query parameter _method are refused",
        "9: a reference has not exactly one",
        "9: location is not a text",
        '10: path "/../x" matches no request',
        "10: methods is empty",
        "10: id is not a text",
        "10: confirmed is neither true nor false",
      ]) {
        assert.ok(messages.includes(want), `${want} is not in:\n${messages}`);
      }
      return true;
    },
  );
  assert.throws(() => RouteTable.parse(file.replace("/hosted", '"/users/{name}"')), /differs from/);
  assert.throws(() => RouteTable.parse(`${file}  - {path: "/open/x", methods: [GET], public: true}\n`), /no GET request reaches/);
  assert.throws(() => RouteTable.parse("x".repeat(2 << 20)), /larger than 1 MiB/);
});

test("the sample file is valid", () => {
  const table = RouteTable.parse(readFileSync("../routes/example.yaml", "utf8"));
  assert.equal(table.routes.length, 5);
  assert.deepEqual(table.supportedObligations, ["notification"]);
});

test("a proxy that has proven itself may name the person", async () => {
  const table = RouteTable.parse(
    file
      .replace(/subject:.*/, "subject: {header: X-User}")
      .replace(/ {2}current_location.*/, "")
      .replace("{claim: act}", "act"),
  );
  const fields: [string, string][] = [["X-User", "bob"]];
  const named = { ...request("/users/jane", { fields }), fromProxy: () => true };
  const resolution = await table.resolve(named);
  assert.equal(resolution.outcome === "question" && resolution.question.subject.id, "bob");
  await assert.rejects(table.resolve(request("/users/jane", { fields })), { kind: "unauthenticated" });
  await assert.rejects(table.resolve({ ...request("/users/jane"), fromProxy: () => true }), { kind: "unauthenticated" });
  await assert.rejects(table.resolve(request("/open/x", { fields })), { kind: "bad_request" });
});
