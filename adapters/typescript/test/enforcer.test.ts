import assert from "node:assert/strict";
import { test } from "node:test";
import { type Answer, confirm, type Decider, Enforcer, type Handlers, warn } from "@wardkeeper/pep";
import { about } from "./question.js";

const email = { id: "N", type: "notification", properties: { channel: "email" } };
const pigeon = { id: "P", type: "notification", properties: { channel: "pigeon" } };
const ask = { id: "C", type: "custom", properties: { action: "confirm", cause: "multiple_locations" } };
const warning = { id: "W", type: "custom", properties: { action: "warn" } };
const logout = { id: "S", type: "session_termination", properties: {} };

const answering = (...answers: unknown[]): Decider => ({ decide: async () => answers as Answer[] });

function recorder() {
  const log: string[] = [];
  const handlers: Handlers = {
    notification: {
      can: (o) => o.properties.channel === "email",
      before: (o) => void log.push(`before ${o.id}`),
      after: async (o) => void log.push(`after ${o.id}`),
    },
    "custom/confirm": confirm,
    "custom/warn": warn,
  };
  return { log, handlers };
}

test("an answer becomes a verdict, and its obligations are done", async () => {
  for (const [answer, verdict, log] of [
    [{ decision: true }, "permitted", []],
    [{ decision: false }, "denied", []],
    [{ decision: true, context: { obligations: [email] } }, "permitted", ["before N", "after N"]],
    [{ decision: true, context: { obligations: [email, pigeon] } }, "denied", ["before N", "after N"]],
    [{ decision: true, context: { obligations: [logout] } }, "denied", []],
    [{ decision: true, context: { obligations: [ask, email] } }, "confirmation_required", []],
    [{ decision: true, context: { obligations: [ask, logout] } }, "denied", []],
    [{ decision: true, context: { obligations: [warning] } }, "permitted", []],
    [{ decision: false, context: { obligations: [email, logout] } }, "denied", ["before N", "after N"]],
    [{ decision: true, context: { error: { status: 500, message: "jane" } } }, "unavailable", []],
    [{ decision: true, context: { obligations: {} } }, "unavailable", []],
    [{ decision: true, context: { obligations: [{ id: "", type: "x" }] } }, "unavailable", []],
    [{ decision: true, context: { obligations: [{ id: "x", type: "notification", properties: [] }] } }, "unavailable", []],
    [{ decision: "true" }, "denied", []],
  ] as [Answer, string, string[]][]) {
    const { log: done, handlers } = recorder();
    const outcome = await new Enforcer({ decider: answering(answer), handlers }).enforce(about("a"));
    assert.equal(outcome.verdict, verdict, JSON.stringify(answer));
    await outcome.done();
    assert.deepEqual(done, log, JSON.stringify(answer));
    assert.equal(outcome.permitted, outcome.refusal === undefined);
    assert.ok(!outcome.error?.message.includes("jane"));
  }
});

test("a question says which types the application can do", async () => {
  const asked: unknown[] = [];
  const decider: Decider = {
    decide: async (questions) => {
      asked.push(...questions.map((q) => q.context));
      return questions.map(() => ({ decision: true }));
    },
  };
  await new Enforcer({ decider, handlers: recorder().handlers }).enforce(
    about("a", "jane", { supported_obligations: ["all"], x: 1 }),
  );
  await new Enforcer({ decider }).ask([about("a")]);
  assert.deepEqual(asked, [{ supported_obligations: ["custom", "notification"], x: 1 }, { supported_obligations: [] }]);
});

test("kinds that no obligation has are refused", () => {
  for (const kind of ["", "custom", "custom/", "notification/x", "/x"]) {
    assert.throws(() => new Enforcer({ decider: answering(), handlers: { [kind]: {} } }), TypeError, kind);
  }
});

test("what throws permits nothing, and its message is not told", async () => {
  const thrown = () => {
    throw new Error("jane");
  };
  const broken = new Enforcer({ decider: { decide: thrown } });
  const outcome = await broken.enforce(about("a"));
  assert.equal(outcome.verdict, "unavailable");
  assert.ok(!outcome.error?.message.includes("jane"));
  const obliged = answering({ decision: true, context: { obligations: [email] } });
  for (const handler of [{ can: thrown }, { before: thrown }, { can: (async () => true) as unknown as () => boolean }]) {
    const denied = await new Enforcer({ decider: obliged, handlers: { notification: handler } }).enforce(about("a"));
    assert.equal(denied.verdict, "denied");
    assert.equal(denied.reasons[0]?.code, "obligation_unsupported");
    assert.ok(!denied.error?.message.includes("jane"));
  }
  const after = await new Enforcer({ decider: obliged, handlers: { notification: { after: thrown } } }).enforce(about("a"));
  assert.ok(after.permitted);
  await assert.rejects(after.done(), (error: Error) => error.message.includes("N") && !error.message.includes("jane"));
});

test("another number of answers is no answer", async () => {
  for (const answers of [[], [{ decision: true }], [{ decision: true }, { decision: true }, { decision: true }]]) {
    const outcomes = await new Enforcer({ decider: answering(...answers) }).ask([about("a"), about("b")]);
    assert.deepEqual(
      outcomes.map((o) => o.verdict),
      ["unavailable", "unavailable"],
    );
  }
});

test("reasons come in several forms", async () => {
  for (const [context, want] of [
    [{ reasons: [{ code: "no", message: "No.", rule: "X" }] }, [{ code: "no", message: "No.", rule: "X" }]],
    [{ reasons: [{ code: "missing_field", field: "role", rule: 7 }] }, [{ code: "missing_field", field: "role" }]],
    [{ reasons: [{ field: "role" }] }, []],
    [{ reasons: ["No.", 7, {}] }, [{ message: "No." }]],
    [{ reason_user: { en: "No." } }, [{ message: "No." }]],
    [{ reasons: "x" }, []],
  ] as [Record<string, unknown>, unknown][]) {
    const outcome = await new Enforcer({ decider: answering({ decision: false, context }) }).enforce(about("a"));
    assert.deepEqual(outcome.reasons, want);
  }
});
