import assert from "node:assert/strict";
import { test } from "node:test";
import { JsonNumber, parseObject, parseValue, plain } from "../lib/esm/json.js";

const bytes = (text: string) => Buffer.from(text, "latin1");

test("JSON is read as JSON.parse reads it", () => {
  for (const text of [
    '{"a":[1,-2.5e3,true,false,null,"x\\u00e4\\n\\\\"],"b":{},"c":[]}',
    " [ ] ",
    '"text"',
    "0",
    '{"":{"a b":"\\ud83d\\ude00"}}',
  ]) {
    assert.deepEqual(parseValue(bytes(text)), JSON.parse(text), text);
  }
});

test("what programs read in different ways is refused", () => {
  for (const text of [
    "",
    "{",
    '{"a":1,"a":1}',
    '{"a":1,"\\u0061":2}',
    '{"x":[{"a":1,"a":1}]}',
    '{"a":1}{}',
    '{"a":1,}',
    "[1,]",
    "{'a':1}",
    '{"a":01}',
    '{"a":1.}',
    '{"a":+1}',
    '{"a":NaN}',
    '{"a":1e999}',
    '{"a":1e-999}',
    `{"a":0.${"1".repeat(400)}}`,
    '{"a":"\t"}',
    '{"a":"\\x"}',
    '{"a":"\\ud800"}',
    '{"a":"\\udc00\\ud800"}',
    '{"a":"\xff"}',
    '{"a":True}',
    "{/**/}",
    "\xef\xbb\xbf{}",
    `${"[".repeat(65)}${"]".repeat(65)}`,
    `[${"0,".repeat(100_000)}0]`,
  ]) {
    assert.throws(() => parseValue(bytes(text)), /^JsonError|Error/, text.slice(0, 40));
  }
  for (const text of ["[]", "null", '"{}"']) {
    assert.throws(() => parseObject(bytes(text)), /not a JSON object/);
  }
});

test("names of JavaScript's own mean nothing", () => {
  const parsed = parseObject(bytes('{"__proto__":{"decision":true},"constructor":1}'));
  assert.equal((parsed as { decision?: unknown }).decision, undefined);
  assert.deepEqual(Object.keys(parsed), ["__proto__", "constructor"]);
  assert.throws(() => parseObject(bytes('{"__proto__":1,"__proto__":2}')), /twice/);
});

test("a number that would be rounded is not taken for a plain one", () => {
  const read = (text: string) => plain(parseValue(bytes(text), true));
  assert.deepEqual(read("[1.0,1e2,0.50,-0]"), { value: [1, 100, 0.5, -0], ok: true });
  assert.deepEqual(read("12"), { value: 12, ok: true });
  assert.equal(read('{"a":[12345678901234567890]}').ok, false);
  assert.equal(read("9007199254740993").ok, false);
  assert.ok(parseValue(bytes("1.0"), true) instanceof JsonNumber);
  assert.equal(parseValue(bytes("1.0")), 1);
});
