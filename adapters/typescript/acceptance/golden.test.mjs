// The golden decisions through the client: each question alone and all of a file in a batch.

import assert from "node:assert/strict";
import { mkdtempSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { Client, confirm, Enforcer, guardOf, warn } from "@wardkeeper/pep";
import { parse } from "yaml";
import { at, sidecar } from "./program.mjs";

const folder = at("testdata/decisions");
const files = readdirSync(folder).flatMap((group) =>
  readdirSync(join(folder, group)).map((name) => ({
    name: `${group}/${name}`,
    ...parse(readFileSync(join(folder, group, name), "utf8")),
  })),
);

/** Groups the files by the directory that they are about. */
const byDirectory =
  Map.groupBy?.(files, directoryOf) ??
  files.reduce((m, f) => m.set(directoryOf(f), [...(m.get(directoryOf(f)) ?? []), f]), new Map());

function directoryOf(file) {
  if (file.directory) {
    return at(`testdata/directories/${file.directory}.yaml`);
  }
  const path = join(mkdtempSync(join(tmpdir(), "facts")), "directory.json");
  writeFileSync(path, JSON.stringify(file.facts));
  file.directory = path;
  return path;
}

const handlers = { notification: {}, session_termination: {}, "custom/confirm": confirm, "custom/warn": warn };

test("the golden decisions", async (t) => {
  let asked = 0;
  for (const [directory, group] of byDirectory) {
    const { url, stop } = await sidecar(t, "--directory", directory);
    const client = new Client({ url, timeout: 60_000 });
    const enforcer = new Enforcer({ decider: client, handlers });
    for (const { name, cases } of group) {
      const questions = cases.map((c) => c.question);
      const batch = await client.decide(questions);
      const outcomes = await enforcer.ask(questions);
      for (const [i, c] of cases.entries()) {
        const want = { decision: c.decision };
        for (const part of ["reasons", "obligations", "advice"]) {
          if (c[part]) {
            want.context = { ...want.context, [part]: c[part] };
          }
        }
        assert.deepEqual(await client.evaluate(c.question), want, `${name}: ${c.name}`);
        assert.deepEqual(batch[i], want, `${name}: ${c.name}, in a batch`);
        if (c.question.context?.supported_obligations === undefined) {
          const confirming = c.obligations?.some((o) => o.properties.action === "confirm");
          const verdict = c.decision ? (confirming ? "confirmation_required" : "permitted") : "denied";
          assert.equal(outcomes[i].verdict, verdict, `${name}: ${c.name}, enforced`);
        }
        asked++;
      }
    }
    client.close();
    await stop();
  }
  assert.ok(asked > 500, `${asked} questions`);
});

test("searches and metadata of the sidecar", async (t) => {
  const { url } = await sidecar(t, "--directory", at("testdata/directories/sample.yaml"));
  const client = new Client({ url, timeout: 60_000 });
  t.after(() => client.close());
  const search = {
    subject: { type: "user", id: "alice" },
    action: { name: "user.edit" },
    resource: { type: "user" },
    context: { current_location: "ghi" },
  };
  const whole = [];
  for await (const { id } of client.searchResources(search)) {
    whole.push(id);
  }
  const paged = [];
  for await (const { id } of client.searchResources(search, { limit: 2 })) {
    paged.push(id);
  }
  assert.ok(whole.length > 3);
  assert.deepEqual(paged, whole);
  const actions = [];
  const about = { ...search, resource: { type: "user", id: whole[0] } };
  for await (const { name } of client.searchActions(about)) {
    actions.push(name);
  }
  assert.ok(actions.includes("user.edit"));
  const subjects = [];
  for await (const { id } of client.searchSubjects({ ...about, subject: { type: "user" } })) {
    subjects.push(id);
  }
  assert.ok(subjects.includes("alice"));
  const metadata = await client.metadata();
  assert.ok(metadata.supportedObligations.includes("custom"));
  const discovered = await Client.discover({ url: metadata.policyDecisionPoint, timeout: 60_000 });
  assert.equal((await discovered.evaluate({ ...about, action: { name: "user.edit" } })).decision, true);
  discovered.close();
});

test("guards of the sidecar", async (t) => {
  const { url } = await sidecar(t, "--directory", at("testdata/directories/sample.yaml"));
  const client = await Client.discover({ url, timeout: 60_000 });
  t.after(() => client.close());
  const removed = (subject) => ({
    subject: { type: "user", id: subject },
    action: { name: "assignment.remove" },
    resource: { type: "user", id: "jane", properties: { location: "abc" } },
    context: { current_location: "metro", include: ["guard"] },
  });
  const [alice, rafael] = (await client.decide(["alice", "rafael"].map(removed))).map(guardOf);
  await assert.rejects(client.claim(removed("rafael"), alice), { name: "NoAnswer", status: 400 });
  const before = new Date();
  const first = await client.claim(removed("alice"), alice);
  assert.ok(first.claimed && first.answer.decision && first.expires > before);
  const second = await client.claim(removed("rafael"), rafael);
  assert.deepEqual([second.claimed, second.code], [false, "taken"]);
  assert.ok(guardOf(second.answer));
});
