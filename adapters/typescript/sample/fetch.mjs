// A handler in the style of Next.js, served by node:http.

import { createServer } from "node:http";
import { listener, protect } from "@wardkeeper/pep/fetch";
import { can, checker, done, hostname, port, see } from "./application.mjs";

const handler = protect(checker, async (request) => {
  const url = new URL(request.url);
  const path = decodeURIComponent(url.pathname);
  const [, id] = /^\/can\/([^/]+)$/.exec(path) ?? [];
  if (id) {
    return Response.json(await can(request, id, url.searchParams.getAll("action")));
  }
  if (path === "/done") {
    return Response.json(done);
  }
  if (path.endsWith("/fails")) {
    return new Response("The database is away.", { status: 500 });
  }
  return Response.json(see(request, request.method, path));
});
createServer(listener(handler)).listen(port, hostname);
