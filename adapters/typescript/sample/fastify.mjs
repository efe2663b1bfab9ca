import { protect, unreadable } from "@wardkeeper/pep/fastify";
import Fastify from "fastify";
import { can, checker, done, hostname, port, see } from "./application.mjs";

const app = Fastify({ frameworkErrors: unreadable(checker) });
app.addHook("onRequest", protect({ checker }));
app.get("/done", () => done);
app.get("/can/:id", (request) => can(request, request.params.id, [request.query.action].flat()));
app.all("/*", (request, reply) => {
  const path = decodeURIComponent(request.url.split("?")[0]);
  if (path.endsWith("/fails")) {
    return reply.code(500).send("The database is away.");
  }
  return see(request, request.method, path);
});
await app.listen({ host: hostname, port: Number(port) });
