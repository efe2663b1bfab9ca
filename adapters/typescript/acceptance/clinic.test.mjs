// The script of the demonstration application: what persons get, what reaches the clinic, and what it does.

import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { parse } from "yaml";
import { keySet, signIn } from "./identity.mjs";
import { at, sidecar, start } from "./program.mjs";

/** Sends a request byte by byte and returns the response. */
function exchange(url, c) {
  const [person, location] = (c.as ?? "").split("@");
  const lines = [`${c.request} HTTP/1.1`, "Host: clinic.example.org", "Connection: close"];
  if (location) {
    lines.push(`Authorization: ${signIn({ sub: person }, c.token)}`, `X-Location: ${location}`);
  }
  lines.push(...(c.headers ?? []));
  let body = c.body ?? "";
  if (c.chunked) {
    lines.push("Transfer-Encoding: chunked");
    body = `${body.length.toString(16)}\r\n${body}\r\n0\r\n\r\n`;
  } else if (body !== "") {
    lines.push(`Content-Length: ${body.length}`);
  }
  return new Promise((resolve, reject) => {
    const { hostname, port } = new URL(url);
    const socket = connect(Number(port), hostname, () => socket.write(`${lines.join("\r\n")}\r\n\r\n${body}`));
    let text = "";
    socket.setEncoding("utf8");
    socket.on("data", (chunk) => {
      text += chunk;
    });
    socket.on("error", reject);
    socket.on("end", () => {
      const [head, ...rest] = text.split("\r\n\r\n");
      const [line, ...fields] = head.split("\r\n");
      const header = fields.map((field) => [field.slice(0, field.indexOf(":")).toLowerCase(), field.slice(field.indexOf(":") + 2)]);
      const all = (name) => header.filter(([key]) => key === name).map(([, value]) => value);
      const plain = all("transfer-encoding").includes("chunked") ? unchunk(rest.join("\r\n\r\n")) : rest.join("\r\n\r\n");
      resolve({ status: Number(line.split(" ")[1]), names: header.map(([key]) => key), all, body: plain });
    });
  });
}

function unchunk(text) {
  let body = "";
  for (let rest = text; rest !== ""; ) {
    const end = rest.indexOf("\r\n");
    const size = Number.parseInt(rest.slice(0, end), 16);
    body += rest.slice(end + 2, end + 2 + size);
    rest = size === 0 ? "" : rest.slice(end + 2 + size + 2);
  }
  return body;
}

function check(c, response) {
  const passes = c.passes ?? c.status < 400;
  const person = c.person ?? (c.as ?? "").split("@")[0];
  assert.equal(response.status, c.status, response.body);
  assert.ok(response.body.includes(c.contains ?? ""), response.body);
  assert.ok(!response.names.some((name) => name.startsWith("x-wardkeeper-")));
  if (c.page) {
    assert.deepEqual(response.all("content-type"), ["text/html; charset=utf-8"]);
  }
  if (passes) {
    assert.equal(response.all("x-clinic-person").join(), person);
    return;
  }
  if (!c.code && !c.page) {
    return;
  }
  assert.deepEqual(response.all("cache-control"), ["no-store"]);
  const [id, ...more] = response.all("x-request-id");
  assert.match(id, /^[!-~]{1,128}$/);
  assert.deepEqual(more, []);
  const sent = c.headers?.find((field) => field.startsWith("X-Request-ID: "))?.slice("X-Request-ID: ".length);
  assert.ok(!sent || sent.includes(" ") || sent === id, `${id}, want ${sent}`);
  assert.equal(response.all("retry-after").length, c.status === 503 ? 1 : 0);
  assert.equal(response.all("www-authenticate").length, c.status === 401 ? 1 : 0);
  if (c.page) {
    assert.match(response.body, /^<!doctype html>/i);
    return;
  }
  assert.deepEqual(response.all("content-type"), ["application/problem+json"]);
  const problem = JSON.parse(response.body);
  assert.equal(problem.status, c.status);
  assert.equal(problem.code, c.code);
  assert.ok(problem.detail);
  const [reason = {}] = problem.reasons ?? [];
  assert.equal(reason.code, c.reason ?? reason.code);
  assert.equal(reason.rule, c.rule ?? reason.rule);
  assert.equal(problem.advice?.[0]?.code, c.advice ?? problem.advice?.[0]?.code);
}

test("the script of the clinic", async (t) => {
  const { cases } = parse(readFileSync(at("testdata/clinic/script.yaml"), "utf8"));
  assert.ok(cases.length > 40);
  const dir = mkdtempSync(join(tmpdir(), "clinic"));
  const keys = join(dir, "jwks.json");
  writeFileSync(keys, keySet);
  const routes = join(dir, "routes.yaml");
  writeFileSync(
    routes,
    readFileSync(at("testdata/clinic/routes.yaml"), "utf8").replace("keys_file: jwks.json", `keys_file: ${keys}`),
  );
  const directory = at("testdata/directories/sample.yaml");
  const pdp = await sidecar(t, "--directory", directory);
  const clinic = await start(t, at("bin/serve"), ["--addr", "127.0.0.1:0", "--directory", directory], /listening on (\S+)/);
  const front = await start(t, process.execPath, ["acceptance/front.mjs", pdp.url, routes, clinic.found], /front at (\S+)/);
  const journal = async () => (await fetch(`${clinic.found}/journal`)).json();
  let stopped = false;
  for (const c of cases) {
    if (c.stopped && !stopped) {
      await pdp.stop();
      stopped = true;
    }
    await t.test(c.name, async () => {
      await journal();
      check(c, await exchange(front.found, c));
      const passed = c.passes ?? c.status < 400;
      const person = c.person ?? (c.as ?? "").split("@")[0];
      assert.deepEqual(await journal(), [...(passed ? [`${c.request} by ${person}`] : []), ...(c.did ?? [])]);
    });
  }
});
