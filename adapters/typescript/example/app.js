// A user administration in Express: a list in pages, buttons that are greyed out, an action that has to be confirmed.

import { Checker, confirm, refusalPage, resultOf } from "@wardkeeper/pep";
import { protect } from "@wardkeeper/pep/express";
import express from "express";
import { tokenOf } from "./sign-in.js";

/** The application. pdp answers questions: a Client, or a FakePdp in tests. list returns a page of a search. */
export function createApp({ pdp, list, mail, endSessions }) {
  const checker = new Checker({
    decider: pdp,
    routes: "routes.yaml",
    handlers: {
      "custom/confirm": confirm,
      notification: { can: ({ properties }) => properties.channel === "email", after: ({ properties }) => mail(properties) },
      session_termination: { after: ({ properties }) => endSessions(properties.subject) },
    },
    page: (refusal, target) =>
      refusal.code === "confirmation_required" ? confirmationPage(refusal, target) : refusalPage(refusal),
  });
  const deactivated = new Set();
  const app = express();
  app.use(protect(checker));

  app.get("/", (_request, response) => {
    response.send(
      page("Example", '<a href="/sign-in?as=alice&at=metro">Sign in as Alice</a>, <a href="/sign-in?as=tom&at=abc">as Tom</a>'),
    );
  });
  app.get("/sign-in", ({ query }, response) => {
    response.cookie("session", tokenOf(String(query.as), String(query.at)), { httpOnly: true, sameSite: "strict" });
    response.redirect("/users");
  });

  app.get("/users", async (request, response) => {
    const { subject, context, trace } = resultOf(request);
    const search = { subject: { type: "user", id: subject }, action: { name: "user.view" }, resource: { type: "user" }, context };
    const { results, nextToken } = await list(search, { limit: 5, token: request.query.page, trace });
    const items = results.map(({ id }) => `<li><a href="/users/${encodeURIComponent(id)}">${escapeHtml(id)}</a></li>`).join("");
    const next = nextToken ? `<a href="?page=${encodeURIComponent(nextToken)}">More</a>` : "";
    response.send(page("Users", `<ul>${items}</ul>${next}`));
  });

  app.get("/users/:id", async (request, response) => {
    const { id } = request.params;
    const can = await checker.can(resultOf(request), ["user.deactivate", "user.edit"], { resource: { id } });
    const button = (action, name) => `<button ${can[action] ? "" : "disabled"}>${name}</button>`;
    const status = deactivated.has(id) ? "deactivated" : "active";
    const form = `<form method="post" action="/users/${encodeURIComponent(id)}/deactivate">${button("user.deactivate", "Deactivate")}</form>`;
    response.send(page(id, `<p>${status}</p>${button("user.edit", "Edit")}${form}`));
  });

  app.post(["/users/:id/deactivate", "/users/:id/deactivate/confirmed"], (request, response) => {
    deactivated.add(request.params.id);
    response.redirect(303, `/users/${encodeURIComponent(request.params.id)}`);
  });
  return app;
}

function confirmationPage(refusal, target) {
  const causes = refusal.confirm
    .map(({ properties }) => `<li>${escapeHtml(String(properties.cause).replaceAll("_", " "))}</li>`)
    .join("");
  const form = `<form method="post" action="${escapeHtml(target)}/confirmed"><button>Go on</button></form>`;
  return page("Please confirm", `<ul>${causes}</ul>${form}<a href="/users">Stop</a>`);
}

function page(title, body) {
  return `<!doctype html><html lang="en"><meta charset="utf-8"><title>${escapeHtml(title)}</title><h1>${escapeHtml(title)}</h1>${body}</html>`;
}

function escapeHtml(text) {
  return text.replace(/[&<>"']/g, (c) => `&#${c.charCodeAt(0)};`);
}
