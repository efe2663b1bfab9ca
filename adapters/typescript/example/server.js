import { Client } from "@wardkeeper/pep";
import { createApp } from "./app.js";

const client = new Client({ url: process.env.PDP_URL ?? "http://127.0.0.1:8181" });
const app = createApp({
  pdp: client,
  list: (search, options) => client.resourcesPage(search, options),
  mail: ({ to, body }) => console.log("mail to", to, body),
  endSessions: (user) => console.log("the sessions end of", user),
});
const server = app.listen(Number(process.env.PORT ?? 8080), "127.0.0.1", () =>
  console.log(`http://127.0.0.1:${server.address().port}`),
);
