import assert from "node:assert/strict";
import { mkdtempSync } from "node:fs";
import type { AddressInfo } from "node:net";
import { createServer as createSocketServer, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { type Claim, Client, type ClientOptions, guardOf, NoAnswer } from "@wardkeeper/pep";
import { FakePdp } from "@wardkeeper/pep/testing";
import { about } from "./question.js";

const patient = { timeout: 60_000 };

async function fake(t: TestContext, options: Partial<ClientOptions> = {}, socket?: string) {
  const pdp = new FakePdp();
  const client = new Client({ url: await pdp.listen(socket), ...patient, ...options });
  t.after(async () => {
    client.close();
    await pdp.close();
  });
  return { pdp, client };
}

/** Serves connections byte by byte. play is called with each chunk that arrives. */
async function raw(
  t: TestContext,
  play: (socket: Socket, connection: number) => void,
): Promise<{ url: string; opened: () => number }> {
  let opened = 0;
  const sockets = new Set<Socket>();
  const server = createSocketServer((socket) => {
    const connection = ++opened;
    sockets.add(socket);
    socket.on("error", () => {});
    socket.on("data", () => play(socket, connection));
  }).listen(0, "127.0.0.1");
  await new Promise((resolve) => server.once("listening", resolve));
  t.after(() => {
    for (const socket of sockets) {
      socket.destroy();
    }
    server.close();
  });
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, opened: () => opened };
}

const answer = (body: string) =>
  `HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n${body}`;
const allowed = '{"decision":true}';

test("one question is an evaluation, several are batches", async (t) => {
  const { pdp, client } = await fake(t, { batchSize: 3 });
  pdp.allow("a");
  assert.deepEqual(await client.evaluate(about("a")), { decision: true });
  assert.deepEqual(await client.decide([]), []);
  pdp.requests = 0;
  const answers = await client.decide(["a", "b", "a", "a", "b", "b", "a"].map((action) => about(action)));
  assert.deepEqual(
    answers.map((a) => a.decision),
    [true, false, true, true, false, false, true],
  );
  assert.equal(pdp.requests, 3);
});

test("a Unix socket serves as well", async (t) => {
  const { pdp, client } = await fake(t, {}, join(mkdtempSync(join(tmpdir(), "pdp")), "pdp.sock"));
  pdp.allow("a");
  assert.equal((await client.evaluate(about("a"))).decision, true);
  await assert.rejects(new Client({ url: "unix:/nowhere/pdp.sock" }).evaluate(about("a")), /cannot be reached: ENOENT/);
});

test("a list is yielded page by page", async (t) => {
  const { pdp, client } = await fake(t);
  pdp
    .allow("edit")
    .deny({ resource: "u7" })
    .know("user", ...Array.from({ length: 25 }, (_, i) => `u${i}`));
  const { subject, action, context = {} } = about("edit");
  const search = { subject, action, resource: { type: "user", id: "ignored" }, context };
  const ids: (string | undefined)[] = [];
  for await (const hit of client.searchResources(search, { limit: 10 })) {
    ids.push(hit.id);
  }
  assert.equal(ids.length, 24);
  assert.ok(!ids.includes("u7"));
  assert.equal(pdp.requests, 3);
  assert.deepEqual(pdp.questions[0]?.resource, { type: "user" });
  const page = await client.resourcesPage(search, { limit: 5, token: "20" });
  assert.deepEqual([page.results.map((hit) => hit.id), page.nextToken, page.total], [["u21", "u22", "u23", "u24"], undefined, 24]);
  pdp.know("action", "edit", "view");
  const actions = [];
  for await (const hit of client.searchActions({ subject, resource: { type: "user", id: "jane" } })) {
    actions.push(hit.name);
  }
  assert.deepEqual(actions, ["edit"]);
});

test("a list ends whatever is sent", async (t) => {
  const { url } = await raw(t, (socket) =>
    socket.write(answer('{"page":{"next_token":"same"},"results":[{"type":"user","id":"a"}]}')),
  );
  const client = new Client({ url, ...patient });
  const seen: unknown[] = [];
  await assert.rejects(async () => {
    for await (const hit of client.searchSubjects({
      subject: { type: "user" },
      action: { name: "a" },
      resource: { type: "user", id: "j" },
    })) {
      seen.push(hit);
    }
  }, /continues the list where it has been/);
  assert.equal(seen.length, 1);
});

test("the endpoints come from the metadata, if they are those of the server", async (t) => {
  const pdp = new FakePdp().allow("a");
  const url = await pdp.listen();
  t.after(() => pdp.close());
  const client = await Client.discover({ url, ...patient });
  t.after(() => client.close());
  assert.equal((await client.evaluate(about("a"))).decision, true);
  assert.deepEqual((await client.metadata()).supportedObligations, ["custom", "notification", "session_termination"]);
  for (const [metadata, message] of [
    ["{}", /malformed metadata/],
    ['{"policy_decision_point":"http://other","access_evaluation_endpoint":"http://other/x"}', /another decision point/],
    ['{"policy_decision_point":"BASE","access_evaluation_endpoint":"http://other/x"}', /another server/],
    ['{"policy_decision_point":"BASE","access_evaluation_endpoint":1}', /malformed metadata/],
  ] as const) {
    let base = "";
    const server = await raw(t, (socket) => socket.write(answer(metadata.replace("BASE", base))));
    base = server.url;
    await assert.rejects(Client.discover({ url: base, ...patient }), message);
  }
  const partial = await raw(t, (socket) =>
    socket.write(answer(`{"policy_decision_point":"${partial.url}","access_evaluation_endpoint":"${partial.url}/x"}`)),
  );
  const limited = await Client.discover({ url: partial.url, ...patient });
  await assert.rejects(limited.decide([about("a"), about("b")]), /does not offer this/);
});

test("a connection that broke before an answer began is replaced once", async (t) => {
  const { url, opened } = await raw(t, (socket, connection) =>
    connection === 1 ? socket.destroy() : socket.write(answer(allowed)),
  );
  const client = new Client({ url, ...patient });
  t.after(() => client.close());
  assert.equal((await client.evaluate(about("a"))).decision, true);
  assert.equal((await client.evaluate(about("a"))).decision, true);
  assert.equal(opened(), 2, "and the new one is used again");

  const always = await raw(t, (socket) => socket.destroy());
  await assert.rejects(new Client({ url: always.url, ...patient }).evaluate(about("a")), /broke off/);
  assert.equal(always.opened(), 2);

  const begun = await raw(t, (socket) => socket.end("HTTP/1.1 2"));
  await assert.rejects(new Client({ url: begun.url, ...patient }).evaluate(about("a")), NoAnswer);
  assert.equal(begun.opened(), 1, "an answer had begun");
});

test("a guard is claimed once", async (t) => {
  const pdp = new FakePdp().allow("edit", { type: "notification" });
  const client = await Client.discover({ url: await pdp.listen(), ...patient });
  t.after(async () => {
    client.close();
    await pdp.close();
  });
  assert.equal(guardOf(await client.evaluate(about("edit"))), undefined, "nobody has asked for one");
  const question = about("edit", "jane", { include: ["guard"] });
  const guard = guardOf(await client.evaluate(question)) as string;
  await assert.rejects(client.claim(about("edit", "bob"), guard), { name: "NoAnswer", status: 400 });
  const before = new Date();
  const first = await client.claim(question, guard);
  assert.ok(first.claimed && first.expires > before);
  assert.deepEqual(first.answer.context?.obligations, [{ id: "FAKE-1", type: "notification", properties: {} }]);
  assert.deepEqual(pdp.claimed, [question]);

  const second = await client.claim(about("edit"), guard);
  assert.ok(!second.claimed);
  assert.equal(second.code, "taken");
  const next = guardOf(second.answer) as string;
  pdp.fail("edit");
  await assert.rejects(client.claim(question, next), { name: "NoAnswer", status: 503 });
  pdp.deny("edit");
  const third = await client.claim(question, next);
  assert.ok(!third.claimed);
  assert.deepEqual([third.code, third.answer.decision, guardOf(third.answer)], ["denied", false, undefined]);
  assert.equal(pdp.claimed.length, 1);
});

test("a claim is what status, claimed and decision say together", async (t) => {
  const until = '"expires":"2026-03-02T07:41:00.500Z"';
  for (const [status, body, want] of [
    [
      200,
      `{"claimed":true,${until},"evaluation":${allowed}}`,
      { claimed: true, expires: new Date(Date.UTC(2026, 2, 2, 7, 41, 0, 500)), answer: { decision: true } },
    ],
    [
      409,
      '{"claimed":false,"code":"denied","evaluation":{"decision":false}}',
      { claimed: false, code: "denied", answer: { decision: false } },
    ],
    [200, '{"claimed":false,"code":"denied","evaluation":{"decision":false}}'],
    [409, `{"claimed":true,${until},"evaluation":${allowed}}`],
    [503, `{"claimed":true,${until},"evaluation":${allowed}}`],
    [200, `{"claimed":true,${until},"evaluation":{"decision":false}}`],
    [200, `{"claimed":"true",${until},"evaluation":${allowed}}`],
    [200, `{"claimed":true,"expires":"2026","evaluation":${allowed}}`],
    [200, `{"claimed":true,"expires":"2026-13-02T07:41:00Z","evaluation":${allowed}}`],
    [200, `{"claimed":true,${until}}`],
    [200, allowed],
    [409, '{"claimed":false,"evaluation":{"decision":false}}'],
    [409, "{}"],
  ] as [number, string, Claim?][]) {
    const { url } = await raw(t, (socket) => socket.write(answer(body).replace("200 OK", `${status} Status`)));
    const client = new Client({ url, ...patient });
    t.after(() => client.close());
    if (want) {
      assert.deepEqual(await client.claim(about("a"), "g"), want);
    } else {
      await assert.rejects(client.claim(about("a"), "g"), NoAnswer, body);
    }
  }
  const { url } = await raw(t, (socket) => socket.write(answer(allowed).replace("200 OK", "409 Conflict")));
  await assert.rejects(new Client({ url, ...patient }).evaluate(about("a")), { status: 409 }, "questions have no such answer");
});

test("a claim is sent once, on a connection that was kept too", async (t) => {
  let requests = 0;
  const { url } = await raw(t, (socket) => (++requests === 1 ? socket.write(answer(allowed)) : socket.destroy()));
  const client = new Client({ url, ...patient });
  t.after(() => client.close());
  await client.evaluate(about("a"));
  await assert.rejects(client.claim(about("a"), "g"), /broke off/);
  assert.equal(requests, 2);
  await assert.rejects(client.claim(about("a"), "g"), /broke off/);
  assert.equal(requests, 3);
});

test("what a server sends too much is not the answer to the next question", async (t) => {
  let asked = 0;
  const { url } = await raw(t, (socket) => {
    asked++;
    socket.write(answer('{"decision":false}'));
    if (asked === 1) {
      setTimeout(() => socket.write(answer(allowed)), 20); // when the connection is idle
    }
  });
  const client = new Client({ url, ...patient, maxConnections: 1 });
  t.after(() => client.close());
  assert.equal((await client.evaluate(about("a"))).decision, false);
  await new Promise((resolve) => setTimeout(resolve, 200));
  await assert.rejects(client.evaluate(about("a")), /before it was asked/);
  assert.equal((await client.evaluate(about("a"))).decision, false, "on another connection");
});

test("time is bounded, for waiting questions too", async (t) => {
  const { url } = await raw(t, () => {});
  const client = new Client({ url, timeout: 100, maxConnections: 1 });
  t.after(() => client.close());
  const all = await Promise.allSettled([client.evaluate(about("a")), client.evaluate(about("b"))]);
  assert.deepEqual(
    all.map((one) => one.status === "rejected" && one.reason.message),
    ["the decision point did not answer in time", "the decision point did not answer in time"],
  );
  const late = new AbortController();
  const question = new Client({ url, ...patient }).evaluate(about("a"), { signal: late.signal });
  late.abort();
  await assert.rejects(question, NoAnswer);
});

test("connections are bounded, and used again", async (t) => {
  let most = 0;
  let open = 0;
  const { url, opened } = await raw(t, (socket) => {
    most = Math.max(most, ++open);
    setTimeout(() => {
      open--;
      socket.write(answer(allowed));
    }, 20);
  });
  const client = new Client({ url, ...patient, maxConnections: 3 });
  t.after(() => client.close());
  await Promise.all(Array.from({ length: 12 }, () => client.evaluate(about("a"))));
  await client.evaluate(about("a"));
  assert.deepEqual([most, opened()], [3, 3]);
});

test("a message says nothing of the question", async (t) => {
  const { url } = await raw(t, (socket) => socket.write(answer('{"decision":"jane"}')));
  const client = new Client({ url, ...patient });
  t.after(() => client.close());
  await assert.rejects(client.evaluate(about("secret")), (thrown: Error) => !/jane|secret|alice/.test(thrown.message));
  const loop = about("a");
  loop.context = { loop };
  await assert.rejects(client.evaluate(loop), /cannot be encoded/);
});

test("a token with a line break is named, and not sent", async (t) => {
  const { client, pdp } = await fake(t, { token: () => "secret\n" });
  await assert.rejects(
    client.evaluate(about("a")),
    (thrown: Error) => /line break/.test(thrown.message) && !thrown.message.includes("secret"),
  );
  const { client: other } = await fake(t);
  await assert.rejects(other.evaluate(about("a"), { trace: { requestId: "x\ny" } }), /X-Request-ID/);
  assert.equal(pdp.requests, 0);
});

test("settings that mean nothing are refused", () => {
  for (const url of ["", "example.org", "ftp://x", "http://u:p@x", "http://x/?q", "http://x/#f", "unix:pdp.sock", "unix://x"]) {
    assert.throws(() => new Client({ url }), TypeError, url);
  }
  for (const timeout of [0, -1, 1.5, Number.NaN]) {
    assert.throws(() => new Client({ url: "http://x", timeout }), TypeError);
  }
});
