import { algorithms } from "../identity/algorithm.js";
import { isKeysUrl } from "../identity/remote.js";
import type { Reader } from "./reader.js";
import { References } from "./reference.js";
import type { Subject, TokenSettings } from "./settings.js";
import type { Node } from "./yaml.js";

/** Reads the part of a route file that says who the person is. */
export class SubjectReader {
  constructor(readonly reader: Reader) {}

  /** Reads how the person is identified. */
  subject(node: Node): Subject {
    const subject: Subject = {};
    const keys = this.reader.mapping(node, "subject", ["jwt", "header"]);
    if (!keys) {
      return subject;
    }
    const jwt = keys.get("jwt");
    const header = keys.get("header");
    if ((jwt === undefined) === (header === undefined)) {
      this.reader.add(node, "subject has not exactly one of jwt and header: say in one way who the person is");
    }
    if (jwt) {
      subject.jwt = this.#jwt(jwt.value);
    }
    if (header) {
      const name = this.reader.text(header.value, "header");
      if (name !== undefined && new References(this.reader, "").checkHeaderName(header.value, name)) {
        subject.header = name;
      }
    }
    return subject;
  }

  #jwt(node: Node): TokenSettings {
    const settings: TokenSettings = { issuer: "", audience: "", algorithms: [], claim: "sub" };
    const keys = this.reader.mapping(node, "jwt", ["keys", "keys_file", "issuer", "audience", "algorithms", "claim", "cookie"]);
    if (!keys) {
      return settings;
    }
    const text = (name: string): string | undefined => {
      const entry = keys.get(name);
      return entry && this.reader.text(entry.value, name);
    };
    settings.issuer = text("issuer") ?? "";
    settings.audience = text("audience") ?? "";
    settings.claim = text("claim") ?? "sub";
    for (const [name, value] of Object.entries({ keysUrl: text("keys"), keysFile: text("keys_file"), cookie: text("cookie") })) {
      if (value !== undefined) {
        settings[name as "keysUrl" | "keysFile" | "cookie"] = value;
      }
    }
    for (const name of ["issuer", "audience", "algorithms"]) {
      if (!keys.has(name)) {
        this.reader.add(node, `${name} is missing: write what a token has to have`);
      }
    }
    const address = keys.get("keys");
    if ((address === undefined) === !keys.has("keys_file")) {
      this.reader.add(node, "jwt has not exactly one of keys and keys_file: say in one way where the public keys are");
    }
    if (address && settings.keysUrl && !isKeysUrl(settings.keysUrl)) {
      const message =
        "keys is not an https URL: write one without user, password and fragment (http only for this machine, or use keys_file)";
      this.reader.add(address.value, message);
    }
    const cookie = keys.get("cookie");
    if (cookie && settings.cookie && (!isToken(settings.cookie) || settings.cookie.includes("%"))) {
      const message = `cookie "${settings.cookie}" is not a name of a cookie: write letters, digits, hyphens and underscores`;
      this.reader.add(cookie.value, message);
    }
    const accepted = keys.get("algorithms");
    if (accepted) {
      settings.algorithms = this.#algorithms(accepted.value);
    }
    return settings;
  }

  #algorithms(node: Node): string[] {
    const named = this.reader.texts(node, "algorithms", "an algorithm");
    if (node.type !== "list") {
      return [];
    }
    if (node.elements.length === 0) {
      this.reader.add(node, "algorithms is empty: list those that the issuer signs with, such as [ES256]");
    }
    for (const element of node.elements) {
      const name = element.type === "scalar" ? element.value : "";
      if (named.includes(name) && !Object.hasOwn(algorithms, name)) {
        this.reader.add(element, `"${name}" is not an algorithm with a public key: use ${Object.keys(algorithms).join(", ")}`);
      }
    }
    return named;
  }
}

/** Reports whether a text is a token (RFC 9110, section 5.6.2). */
export function isToken(text: string): boolean {
  return /^[A-Za-z0-9!#$%&'*+\-.^_`|~]+$/.test(text);
}
