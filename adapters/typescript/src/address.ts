/** Where a decision point is. */
export interface Address {
  secure: boolean;
  /** The path of a Unix socket. */
  socketPath?: string;
  hostname: string;
  port?: string;
  /** The authority for the Host field, and for comparing. */
  host: string;
  /** The path before those of the endpoints, without a final slash. */
  path: string;
}

/** Reads http://HOST:PORT, https://HOST or unix:/PATH. The error does not repeat a password. */
export function parseAddress(text: string): Address {
  if (text.startsWith("unix:")) {
    const socketPath = text.slice("unix:".length);
    if (!socketPath.startsWith("/") || socketPath.startsWith("//")) {
      throw new TypeError(`The URL "${text}" has no absolute path: use unix:/PATH.`);
    }
    return { secure: false, socketPath, hostname: "localhost", host: "localhost", path: "" };
  }
  let url: URL;
  try {
    url = new URL(text);
  } catch {
    throw new TypeError("The URL of the decision point is malformed: use http://HOST:PORT, https://HOST or unix:/PATH.");
  }
  if ((url.protocol !== "http:" && url.protocol !== "https:") || url.hostname === "") {
    throw new TypeError("The URL is not that of a server: use http://HOST:PORT, https://HOST or unix:/PATH.");
  }
  if (url.username !== "" || url.password !== "" || url.search !== "" || url.hash !== "") {
    throw new TypeError("The URL has more than a scheme, a host and a path: use the option token for credentials.");
  }
  const address: Address = {
    secure: url.protocol === "https:",
    hostname: url.hostname.replace(/^\[|\]$/g, ""),
    host: url.host,
    path: url.pathname.replace(/\/$/, ""),
  };
  if (url.port !== "") {
    address.port = url.port;
  }
  return address;
}
