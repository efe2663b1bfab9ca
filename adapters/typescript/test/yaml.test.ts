import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { test } from "node:test";
import { RouteFileError } from "@wardkeeper/pep";
import { parse as parseAll } from "yaml";
import { type Node, parseYaml } from "../lib/esm/routes/yaml.js";

/** The value of a node, as the yaml package has it. */
function contentOf(node: Node): unknown {
  switch (node.type) {
    case "mapping":
      return Object.fromEntries(node.entries.map(({ key, value }) => [key.value, contentOf(value)]));
    case "list":
      return node.elements.map(contentOf);
  }
  switch (node.kind) {
    case "text":
      return node.value;
    case "null":
      return null;
  }
  return JSON.parse(node.value.toLowerCase());
}

test("route files are read as by another reader of YAML", () => {
  const root = "../../";
  for (const file of [
    "adapters/routes/example.yaml",
    "adapters/conformance/routes.yaml",
    "testdata/clinic/routes.yaml",
    "testdata/clinic/routes-header.yaml",
    "adapters/conformance/script.yaml",
    "testdata/clinic/script.yaml",
    ...readdirSync(`${root}testdata/decisions/regional`).map((name) => `testdata/decisions/regional/${name}`),
  ]) {
    const text = readFileSync(root + file, "utf8");
    assert.deepEqual(contentOf(parseYaml(text)), parseAll(text), file);
  }
});

test("other forms of the same file mean the same", () => {
  const want = { a: "x y", b: ["1", { c: "d", e: null }], f: { g: "it's" }, h: 'tab\t"' };
  for (const text of [
    '---\na: x y # comment\nb:\n- "1"\n- c: d\n  e:\nf:\n  g: \'it\'\'s\'\nh: "tab\\t\\""\n',
    '{a: x y, b: ["1", {c: d, e: ~}], f: {"g":"it\'s"}, h: "tab\\t\\u0022"}',
    'a:   x y\r\nb:\r\n    -   "1"\r\n    -   c: d\r\n        e: null\r\nf: {\r\n  g: it\'s, # more\r\n  }\r\nh: "tab\\x09\\""\r\n',
  ]) {
    assert.deepEqual(contentOf(parseYaml(text)), want, text);
  }
});

test("what this reader does not know is a fault with its place", () => {
  for (const [text, line] of [
    ["", 1],
    ["# nothing\n", 1],
    ["a: &x 1", 1],
    ["a: 1\nb: *x", 2],
    ["a: !!str 1", 1],
    ["a: |\n  x", 1],
    ["a: >\n  x", 1],
    ["a: 1\n---\nb: 2", 2],
    ["a:\n\t- 1", 2],
    ["a: b: c", 1],
    ["a: 'x", 1],
    ["a: [1, 2", 1],
    ["a: {b: /x/{id}}", 1],
    ["a: 1\n b: 2", 2],
    ["a: x\n  y", 2],
    ["? a\n: b", 1],
    ["<<: {a: 1}", 1],
    ["a: ]", 1],
    ["a: {b:c}", 1],
    ['a: "\\q"', 1],
    ["a: \u0007", 1],
    [`a: ${"[".repeat(40)}${"]".repeat(40)}`, 1],
    ["- 1\n a: 2", 2],
  ] as const) {
    assert.throws(
      () => parseYaml(text),
      (thrown) => thrown instanceof RouteFileError && thrown.faults[0]?.line === line,
      text,
    );
  }
});
