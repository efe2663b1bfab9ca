// Protects the clinic, an application in another language, by a proxy in Express: it tells the clinic who asks and what it has to do.

import { request as send } from "node:http";
import { pipeline } from "node:stream";
import { Checker, Client, RouteTable } from "@wardkeeper/pep";
import { protect, resultOf } from "@wardkeeper/pep/express";
import express from "express";

const [, , pdp, routes, clinic] = process.argv;
const table = RouteTable.load(routes);
const checker = new Checker({
  decider: new Client({ url: pdp, timeout: 60_000 }),
  routes: table,
  handlers: Object.fromEntries(table.supportedObligations.map((kind) => [kind, {}])),
});

const app = express();
app.disable("x-powered-by");
app.use(protect(checker));
app.use((request, response) => {
  const { subject = "", outcome, trace } = resultOf(request);
  const obligations = JSON.stringify(outcome?.obligations ?? []).replace(
    /[^ -~]/g,
    (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
  const told = {
    "X-Wardkeeper-Subject": encodeURIComponent(subject),
    "X-Wardkeeper-Obligations": obligations,
    "X-Request-ID": trace.requestId,
  };
  const headers = {
    ...request.headers,
    ...Object.fromEntries(Object.entries(told).map(([name, value]) => [name.toLowerCase(), value])),
  };
  const { hostname, port } = new URL(clinic);
  const forwarded = send({ hostname, port, method: request.method, path: request.originalUrl, headers }, (answer) => {
    response.writeHead(answer.statusCode, answer.rawHeaders);
    pipeline(answer, response, () => {});
  });
  forwarded.on("error", () => response.destroy());
  pipeline(request, forwarded, () => {});
});
const server = app.listen(0, "127.0.0.1", () => console.log(`front at http://127.0.0.1:${server.address().port}`));
