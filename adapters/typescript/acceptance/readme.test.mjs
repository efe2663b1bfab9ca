// What README.md has a reader paste protects a page.

import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { test } from "node:test";
import { keySet, signIn } from "./identity.mjs";
import { at, sidecar, start } from "./program.mjs";

const readme = readFileSync(at("adapters/typescript/README.md"), "utf8");
const section = readme.slice(readme.indexOf("## Protect a page"), readme.indexOf("## Obligations"));
const block = (language, index = 0) => section.split(`\`\`\`${language}\n`)[index + 1].split("```")[0];

/** Replaces each old text, which has to be there, with the new one after it. */
function replace(text, ...pairs) {
  return pairs.reduce((changed, [old, now]) => {
    assert.ok(changed.includes(old), `${old} is not in README.md`);
    return changed.replace(old, now);
  }, text);
}

async function freePort() {
  const server = createServer().listen(0, "127.0.0.1");
  await new Promise((resolve) => server.once("listening", resolve));
  const { port } = server.address();
  await new Promise((resolve) => server.close(resolve));
  return port;
}

test("the first page of README.md", async (t) => {
  const { url } = await sidecar(t, "--directory", at("testdata/directories/sample.yaml"));
  const port = await freePort();
  const dir = mkdtempSync(join(process.cwd(), "readme-")); // where the package is found
  t.after(() => rmSync(dir, { recursive: true }));
  writeFileSync(join(dir, "keys.json"), keySet);
  writeFileSync(
    join(dir, "routes.yaml"),
    replace(block("yaml"), ['keys: "https://idp.example.org/jwks.json"', `keys_file: ${join(dir, "keys.json")}`]),
  );
  const patient = [`{ url: "${url}", timeout: 60_000 }`];
  writeFileSync(
    join(dir, "server.mjs"),
    replace(
      block("js"),
      ['{ url: "http://127.0.0.1:8181" }', ...patient],
      ['"routes.yaml"', JSON.stringify(join(dir, "routes.yaml"))],
      ["app.listen(8080)", `app.listen(${port}, "127.0.0.1", () => console.log("listens at", ${port}))`],
    ),
  );
  await start(t, process.execPath, [join(dir, "server.mjs")], /listens at (\d+)/);
  const get = async (path, headers) => {
    const response = await fetch(`http://127.0.0.1:${port}${path}`, { headers });
    return [response.status, await response.text()];
  };
  assert.deepEqual(await get("/users/jane", { Authorization: signIn({ sub: "alice", location: "metro" }) }), [
    200,
    "alice sees jane",
  ]);
  const [status, problem] = await get("/users/jane", { Authorization: signIn({ sub: "tom", location: "abc" }) });
  assert.equal(status, 403);
  assert.equal(JSON.parse(problem).reasons[0].rule, "REG-11");
  assert.equal((await get("/users/jane", {}))[0], 401);
});

test("the first page of README.md without an identity provider, as its commands ask for it", async (t) => {
  const { url } = await sidecar(t, "--directory", at("testdata/directories/sample.yaml"));
  const port = await freePort();
  const dir = mkdtempSync(join(process.cwd(), "readme-"));
  t.after(() => rmSync(dir, { recursive: true }));
  writeFileSync(join(dir, "routes.yaml"), block("yaml"));
  const checker = block("js")
    .split("\n")
    .find((line) => line.startsWith("const checker = "));
  writeFileSync(
    join(dir, "server.mjs"),
    replace(
      block("js"),
      [checker, block("js", 1)],
      ['{ url: "http://127.0.0.1:8181" }', `{ url: "${url}", timeout: 60_000 }`],
      ['"routes.yaml"', JSON.stringify(join(dir, "routes.yaml"))],
      ["app.listen(8080)", `app.listen(${port}, "127.0.0.1", () => console.log("listens at", ${port}))`],
    ),
  );
  await start(t, process.execPath, [join(dir, "server.mjs")], /listens at (\d+)/);
  const commands = block("sh")
    .trim()
    .split("\n")
    .map((line) => /^curl -H 'Authorization: (Bearer \w+)' http:\/\/127.0.0.1:8080(\/\S+) # (\d+), (.*)$/.exec(line));
  for (const [, authorization, path, status, said] of commands) {
    const response = await fetch(`http://127.0.0.1:${port}${path}`, { headers: { Authorization: authorization } });
    const text = await response.text();
    assert.equal(response.status, Number(status), text);
    assert.ok(status === "200" ? text === said : JSON.parse(text).reasons.length > 0, text);
  }
  assert.equal(commands.length, 2);
});
