import { protect } from "@wardkeeper/pep/express";
import express from "express";
import { can, checker, done, hostname, port, see } from "./application.mjs";

const app = express();
app.use(protect(checker));
app.get("/done", (_request, response) => response.json(done));
app.get("/can/:id", async (request, response) =>
  response.json(await can(request, request.params.id, [request.query.action].flat())),
);
app.use((request, response) => {
  if (request.path.endsWith("/fails")) {
    response.status(500).end("The database is away.");
    return;
  }
  response.json(see(request, request.method, request.path));
});
app.listen(port, hostname);
