// The application that the acceptance suite drives, apart from its framework.

import { readFileSync } from "node:fs";
import { Checker, Client, confirm, resultOf } from "@wardkeeper/pep";

const { PDP_URL, PDP_TOKEN_FILE, PDP_CA_FILE, PDP_TIMEOUT, ROUTES_FILE, LISTEN_ADDR } = process.env;
const token = readFileSync(PDP_TOKEN_FILE, "utf8").trim();

const pdp = new Client({
  url: PDP_URL,
  token: () => token,
  ...(PDP_CA_FILE ? { tls: { ca: readFileSync(PDP_CA_FILE) } } : {}),
  ...(PDP_TIMEOUT ? { timeout: Number(PDP_TIMEOUT) * 1000 } : {}),
});

/** The ids of the obligations done so far, in order. */
export const done = [];

export const checker = new Checker({
  decider: pdp,
  routes: ROUTES_FILE,
  handlers: {
    notification: {
      can({ properties }) {
        if (properties.channel === "fault") {
          throw new Error(String(properties.to));
        }
        return properties.channel === "email";
      },
      after: ({ id }) => {
        done.push(id);
      },
    },
    "custom/confirm": confirm,
  },
});

/** What the person of a request may do to a user. */
export function can(request, id, actions) {
  return checker.can(resultOf(request), actions, { resource: { id } });
}

export function see(request, method, path) {
  return { method, path, subject: resultOf(request)?.subject ?? "" };
}

export const [hostname, port] = LISTEN_ADDR.split(":");
