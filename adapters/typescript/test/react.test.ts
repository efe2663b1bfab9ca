import assert from "node:assert/strict";
import { test } from "node:test";
import { CanProvider, confirming, useCan } from "@wardkeeper/pep/react";
import { Window } from "happy-dom";
import { act, createElement as h } from "react";

const window = new Window();
Object.assign(globalThis, { window, document: window.document, navigator: window.navigator, IS_REACT_ACT_ENVIRONMENT: true });
const { createRoot } = await import("react-dom/client");

function Buttons({ id }: { id: string }) {
  const { can, loading, error } = useCan(["user.edit", "user.drop"], { resource: { id } });
  return h(
    "p",
    null,
    `${id}: ${can["user.edit"] === true} ${can["user.drop"] === true}${loading ? " loading" : ""}${error ? " error" : ""}`,
  );
}

async function render(fetch: (url: string, init: RequestInit) => Promise<Response>, ...ids: string[]) {
  const container = window.document.createElement("div");
  const root = createRoot(container as unknown as Element);
  const show = (...shown: string[]) =>
    act(async () => {
      root.render(h(CanProvider, { url: "/can", fetch }, ...shown.map((id) => h(Buttons, { key: id, id }))));
    });
  const settle = () => act(async () => new Promise((resolve) => setTimeout(resolve, 5)));
  await show(...ids);
  return { text: () => container.textContent, show, settle, end: () => act(async () => root.unmount()) };
}

test("what all parts of a page may offer is one request", async () => {
  const asked: unknown[] = [];
  const { text, settle, show, end } = await render(
    async (_url, { body }) => {
      const { asks } = JSON.parse(String(body)) as { asks: { action: string; resource: { id: string } }[] };
      asked.push(asks.length);
      return Response.json({ can: asks.map(({ action, resource }) => action === "user.edit" && resource.id === "jane") });
    },
    "jane",
    "tom",
  );
  assert.equal(text(), "jane: false false loadingtom: false false loading");
  await settle();
  assert.equal(text(), "jane: true falsetom: false false");
  assert.deepEqual(asked, [4]);
  await show("jane", "eva");
  await settle();
  assert.deepEqual(asked, [4, 2]);
  await end();
});

test("nothing is offered where it cannot be found out", async () => {
  for (const fetch of [
    async () => new Response("", { status: 503 }),
    async () => Response.json({ can: [true] }),
    async () => Response.json({ can: ["true", 1] }),
    async () => {
      throw new Error("away");
    },
  ]) {
    const { text, settle, end } = await render(fetch, "jane");
    await settle();
    assert.match(text() ?? "", /^jane: false false( error)?$/);
    await end();
  }
});

test("a person is asked, and the request is sent again", async () => {
  const sent: (string | null)[] = [];
  const fetch = async (request: Request) => {
    sent.push(`${request.headers.get("X-Confirmed")} ${await request.text()}`);
    if (request.headers.get("X-Confirmed") === "true") {
      return new Response("done");
    }
    const body = JSON.stringify({
      code: "confirmation_required",
      confirm: [{ id: "C", type: "custom", properties: { cause: "x" } }],
    });
    return new Response(body, { status: 403, headers: { "Content-Type": "application/problem+json" } });
  };
  let causes: unknown;
  const yes = confirming(
    (toConfirm) => {
      causes = toConfirm.map((o) => o.properties.cause);
      return true;
    },
    { fetch },
  );
  assert.equal(await (await yes("http://x/", { method: "POST", body: "data" })).text(), "done");
  assert.deepEqual([sent, causes], [["null data", "true data"], ["x"]]);
  const no = confirming(() => false, { fetch });
  assert.equal((await no("http://x/")).status, 403);
  const denied = confirming(() => assert.fail("nothing is to be confirmed"), {
    fetch: async () => Response.json({}, { status: 403 }),
  });
  assert.equal((await denied("http://x/")).status, 403);
});
