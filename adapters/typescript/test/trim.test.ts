import assert from "node:assert/strict";
import { test } from "node:test";
import { readBody } from "../lib/esm/routes/body.js";
import { checkHeaders } from "../lib/esm/routes/header.js";
import { sameParameter } from "../lib/esm/routes/query.js";
import { newTrace } from "../lib/esm/trace.js";
import { trim, trimBlank } from "../lib/esm/trim.js";

// With a time that grows with the square of the length, no test with this ends.
const long = 4 << 20;
const blanks = " \t".repeat(long / 2);

test("characters are cut off both ends, and nowhere else", () => {
  for (const [text, want] of [
    ["", ""],
    ["x", "x"],
    [" ", ""],
    [" \t \t", ""],
    [" x", "x"],
    ["x\t", "x"],
    ["\t x \t y\t ", "x \t y"],
    ["\n x\u00a0", "\n x\u00a0"],
    ["\ufeff \ud83d\ude00 ", "\ufeff \ud83d\ude00"],
    [blanks, ""],
    [`x${blanks}y`, `x${blanks}y`],
    [`${blanks}x${blanks}`, "x"],
  ] as const) {
    assert.equal(trimBlank(text) === want, true, JSON.stringify(text.slice(0, 40)));
  }
  assert.equal(trim(", \ta=1,\t b=2, ,", " \t,"), "a=1,\t b=2");
  assert.equal(trim("[a]", ""), "[a]");
});

test("the ends of a trace state are cut off", () => {
  const stateOf = (...states: string[]) =>
    newTrace((name) => (name === "traceparent" ? ["p"] : name === "tracestate" ? states : [])).tracestate;
  assert.equal(stateOf("\t, a=1 , b=2,", ",", "", " c=3"), "a=1 , b=2,c=3");
  assert.equal(stateOf(" ,\t"), undefined);
  assert.equal(stateOf(`${", ".repeat(long)}a=1${",\t".repeat(long)}`), "a=1");
  assert.equal(stateOf(`a=1${", ".repeat(long)}b=2`), undefined, "too long");
});

test("the ends of the options of a connection are cut off", () => {
  checkHeaders([["Connection", ` close\t,${blanks}Keep-Alive${blanks},`]]);
  assert.throws(() => checkHeaders([["Connection", `close${blanks}x`]]), /names a header/);
});

test("the ends of the name of a parameter are cut off", () => {
  for (const [received, same] of [
    ["  a b ", true],
    ["a_b  ", true],
    [" [A.b] ", true],
    [" a b[] ", true],
    ["\ta b", false],
    ["", false],
    [" ".repeat(long), false],
    [`${" ".repeat(long)}a b${" ".repeat(long)}`, true],
    [`a${" ".repeat(long)}b`, false],
  ] as const) {
    assert.equal(sameParameter(received, "a b"), same, received.slice(0, 40));
  }
});

test("a Content-Type is JSON in UTF-8", async () => {
  for (const [type, json] of [
    ["application/json", true],
    ["\tApplication/JSON ", true],
    ["application/json;", true],
    ["application/json \t;\t ", true],
    ["application/json;charset=utf-8", true],
    ['application/json ;\tcharset="UTF-8" ', true],
    ["application/json; charset=UTF-8 \t; ", true],
    [`${blanks}application/json${blanks};${blanks}charset=utf-8${blanks};${blanks}`, true],
    ["", false],
    [";", false],
    ["application/json;;", false],
    ["application/json; ;", false],
    ["application/json; charset=utf-8;;", false],
    ["application/json; charset=utf-8; x=y", false],
    ["application/json; charset=latin1", false],
    ["application/json; charset = utf-8", false],
    ["application/json; charset=", false],
    ["application/jsonx", false],
    ["application/json\n", false],
    ["application/json x", false],
    [`application/json${blanks}x`, false],
    [`application/json;${blanks}x`, false],
    [`application/json; charset=utf-8${blanks}x`, false],
  ] as const) {
    const read = readBody(async () => Buffer.from("{}"), [["Content-Type", type]]);
    const refused = await read.then(
      () => false,
      (thrown) => /Content-Type/.test(thrown.message),
    );
    assert.equal(refused, !json, JSON.stringify(type.slice(0, 60)));
  }
});
