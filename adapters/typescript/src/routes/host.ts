import { isIPv6 } from "node:net";
import { bad } from "./problem.js";

/** The maximum length of a Host value in bytes. */
const maxHost = 255 + ":65535".length;

/** The host of a request in lower case, without its port. */
export function canonicalHost(values: string[]): string {
  const [value = ""] = values;
  if (values.length !== 1 || value === "") {
    throw bad("The request has no host, or more than one: send the Host header once.");
  }
  const host = withoutPort(value);
  if (host === undefined || value.length > maxHost || !isHost(host)) {
    throw bad("The host is not a name or an address: send a name without a trailing dot, and at most a port after it.");
  }
  return host.toLowerCase();
}

/** Cuts the port off; undefined if it is not a number. */
function withoutPort(value: string): string | undefined {
  const colon = value.lastIndexOf(":");
  if (colon < 0 || value.endsWith("]")) {
    return value;
  }
  return /^[0-9]{1,5}$/.test(value.slice(colon + 1)) ? value.slice(0, colon) : undefined;
}

function isHost(host: string): boolean {
  if (host.startsWith("[")) {
    return host.endsWith("]") && !host.includes("%") && isIPv6(host.slice(1, -1));
  }
  return /^(?:[A-Za-z0-9_-]+\.)*[A-Za-z0-9_-]+$/.test(host);
}
