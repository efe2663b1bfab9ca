// An application in TypeScript with ES modules: it has to compile, strictly, and to run.

import { Checker, confirm, type Handler, resultOf } from "@wardkeeper/pep";
import { asks, offers, protect } from "@wardkeeper/pep/express";
import { protect as protectFastify } from "@wardkeeper/pep/fastify";
import { protect as protectHandler } from "@wardkeeper/pep/fetch";
import { type Can, useCan } from "@wardkeeper/pep/react";
import { FakePdp } from "@wardkeeper/pep/testing";
import express, { type Request } from "express";
import Fastify from "fastify";

const notify: Handler = { can: ({ properties }) => properties.channel === "email" };
const checker = new Checker({
  decider: new FakePdp().allow("user.view"),
  handlers: { notification: notify, "custom/confirm": confirm },
});
const app = express();
app.use(protect(checker));
app.post("/can", offers(checker));
app.get(
  "/users/:id",
  asks<Request>(checker, (request) => ({ subject: "alice", action: "user.view", resource: { id: String(request.params.id) } })),
  (request, response) => {
    response.json({ subject: resultOf(request)?.subject });
  },
);
Fastify().addHook("onRequest", protectFastify({ checker }));
export const GET: (request: Request extends never ? never : globalThis.Request) => Promise<Response> = protectHandler(
  checker,
  () => new Response(),
);
export const hook: (actions: readonly string[], about: { resource: { id: string } }) => Can = useCan;
const [outcome] = await checker.enforcer.ask([
  { subject: { type: "user", id: "a" }, action: { name: "user.view" }, resource: { type: "user", id: "b" } },
]);
console.log(outcome?.verdict);
