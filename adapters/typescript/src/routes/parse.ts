import { custom } from "../answer.js";
import { RouteFileError } from "./fault.js";
import { canonicalHost } from "./host.js";
import { Reader } from "./reader.js";
import { References } from "./reference.js";
import { type CompiledRoute, type ContextMember, takes } from "./route.js";
import { maxFile, maxRoutes, type Subject } from "./settings.js";
import { isToken, SubjectReader } from "./subject.js";
import { parseTemplate, shapeOf } from "./template.js";
import { Tree } from "./tree.js";
import type { Member } from "./value.js";
import { type Entry, type Node, parseYaml } from "./yaml.js";

/** A parsed route file. */
export interface RouteFile {
  subject: Subject;
  /** The kinds of obligation that an application behind an adapter does. */
  supportedObligations: string[];
  routes: CompiledRoute[];
  tree: Tree;
  /** What every question has in its context, for questions that are not about a route. */
  defaults: ContextMember[];
}

/** Parses a route file. It throws a {@link RouteFileError} with every fault. */
export function parseRoutes(text: string): RouteFile {
  if (Buffer.byteLength(text) > maxFile) {
    throw new RouteFileError([{ line: 1, column: 1, message: "the file is larger than 1 MiB: remove what is not needed" }]);
  }
  const parser = new Parser(parseYaml(text));
  parser.reader.check();
  return parser.file;
}

const context = [
  { name: "current_location", form: "text" },
  { name: "confirmed", form: "boolean" },
  { name: "at_least", form: "text" },
] as const;

const routeKeys = [
  "path",
  "host",
  "methods",
  "public",
  "action",
  "properties",
  "resource",
  "location",
  "current_location",
  "confirmed",
  "at_least",
];

class Parser {
  readonly reader = new Reader();
  readonly file: RouteFile = { subject: {}, supportedObligations: [], routes: [], tree: new Tree(), defaults: [] };
  #references = new References(this.reader, "");
  #defaults = new Map<string, Entry>();
  readonly #shapes = new Map<string, CompiledRoute>();

  constructor(root: Node) {
    const keys = this.reader.mapping(root, "the file", ["version", "subject", "supported_obligations", "defaults", "routes"]);
    if (!keys) {
      return;
    }
    const version = keys.get("version")?.value;
    if (!version) {
      this.reader.add(root, "version is missing: begin the file with version: 1");
    } else if (version.type !== "scalar" || version.kind !== "number" || version.value !== "1") {
      this.reader.add(version, "version is not 1: write version: 1, the only one that there is");
    }
    const subject = keys.get("subject");
    if (subject) {
      this.file.subject = new SubjectReader(this.reader).subject(subject.value);
      this.#references = new References(this.reader, this.file.subject.header ?? "");
    }
    const obligations = keys.get("supported_obligations");
    if (obligations) {
      this.#obligations(obligations.value);
    }
    const defaults = keys.get("defaults");
    if (defaults) {
      this.#readDefaults(defaults.value);
    }
    const routes = keys.get("routes");
    if (routes) {
      this.#routes(routes.value, subject !== undefined);
    } else {
      this.reader.add(root, "routes is missing: list at least one route");
    }
  }

  #obligations(node: Node): void {
    this.file.supportedObligations = this.reader.texts(node, "supported_obligations", "an obligation type");
    for (const kind of this.file.supportedObligations) {
      const slash = kind.indexOf("/");
      const type = slash < 0 ? kind : kind.slice(0, slash);
      if (type === custom && (slash < 0 || slash === kind.length - 1)) {
        this.reader.add(node, "the obligation custom is not supported as such: name its action, as in custom/confirm");
      } else if (type !== custom && slash >= 0) {
        this.reader.add(node, `"${kind}" is not an obligation type: only custom has an action, as in custom/confirm`);
      }
    }
  }

  /** Reports the faults of the defaults once, rather than for each route. */
  #readDefaults(node: Node): void {
    this.#defaults = this.reader.mapping(node, "defaults", ["host", ...context.map((c) => c.name)]) ?? new Map();
    for (const [name, entry] of [...this.#defaults]) {
      const before = this.reader.faults.length;
      const part = context.find((c) => c.name === name);
      if (!part) {
        this.#host(entry.value);
      } else {
        const member = this.#references.member(newRoute(entry.value.line), entry, part.form, true);
        if (member && (member.value.source === "path" || member.value.source === "body")) {
          const message = `a default draws from the ${member.value.source}, which differs between routes: write it in the routes that have it`;
          this.reader.add(entry.value, message);
        } else if (member) {
          this.file.defaults.push({ ...member, form: part.form });
        }
      }
      if (this.reader.faults.length > before) {
        this.#defaults.delete(name);
      }
    }
  }

  #routes(node: Node, hasSubject: boolean): void {
    const elements = this.reader.list(node, "routes");
    if (!elements) {
      return;
    }
    if (elements.length === 0) {
      this.reader.add(node, "routes is empty: list at least one route");
    }
    if (elements.length > maxRoutes) {
      this.reader.add(node, `routes has more than ${maxRoutes} routes: join those that ask the same`);
      return;
    }
    let asking = false;
    for (const element of elements) {
      const before = this.reader.faults.length;
      const route = this.#route(element);
      asking ||= route !== undefined && !route.public;
      if (route && this.reader.faults.length === before) {
        this.#add(route, element);
      }
    }
    if (!hasSubject && asking) {
      this.reader.add(node, "subject is missing: say who the person is, by jwt or by header");
    }
  }

  /** Adds a route. Methods with which no request reaches it are faults, and so are paths that differ only by names. */
  #add(route: CompiledRoute, node: Node): void {
    const { file } = this;
    route.index = file.routes.length;
    const shape = shapeOf(route.template);
    const other = this.#shapes.get(shape);
    if (!other) {
      this.#shapes.set(shape, route);
    } else if (other.path !== route.path) {
      const where = `differs from "${other.path}" in line ${other.line} only by the names of parameters`;
      this.reader.add(node, `path "${route.path}" ${where}: use the same names`);
      return;
    }
    this.#checkReached(route, node);
    file.routes.push(route);
    file.tree.insert(route);
  }

  #checkReached(route: CompiledRoute, node: Node): void {
    const taken = new Map<string, CompiledRoute>();
    this.file.tree.covering(route.template, (earlier) => {
      if (earlier.host !== "" && earlier.host !== route.host) {
        return;
      }
      for (const method of route.methods) {
        if (takes(earlier, earlier.host, method) && (taken.get(method)?.index ?? Number.POSITIVE_INFINITY) > earlier.index) {
          taken.set(method, earlier);
        }
      }
    });
    for (const [method, earlier] of taken) {
      const first = `the route ${earlier.path} in line ${earlier.line} takes them first`;
      this.reader.add(
        node,
        `no ${method} request reaches the route ${route.path}: ${first}; move this one above it, or remove ${method} here`,
      );
    }
  }

  #route(node: Node): CompiledRoute | undefined {
    const keys = this.reader.mapping(node, "a route", routeKeys);
    if (!keys) {
      return undefined;
    }
    const route = newRoute(node.line);
    this.#path(route, node, keys.get("path"));
    const host = keys.get("host") ?? this.#defaults.get("host");
    route.host = (host && this.#host(host.value)) ?? "";
    const methods = keys.get("methods");
    if (methods) {
      this.#methods(route, methods.value);
    } else {
      this.reader.add(node, "methods is missing: list the methods, such as [GET]");
    }
    const isPublic = keys.get("public");
    if (isPublic) {
      this.#public(route, isPublic, keys);
    } else {
      this.#question(route, node, keys);
    }
    return route;
  }

  #path(route: CompiledRoute, node: Node, entry: Entry | undefined): void {
    if (!entry) {
      this.reader.add(node, "path is missing: write the template of the path, such as /users/{id}");
      return;
    }
    const text = this.reader.text(entry.value, "path");
    if (text === undefined) {
      return;
    }
    route.path = text;
    try {
      route.template = parseTemplate(text);
    } catch (thrown) {
      this.reader.add(entry.value, (thrown as Error).message);
    }
  }

  /** A public route asks nothing, so the keys of a question are faults. */
  #public(route: CompiledRoute, entry: Entry, keys: Map<string, Entry>): void {
    if (this.reader.boolean(entry.value, "public") === false) {
      this.reader.add(entry.value, "public is false: remove it, because every other route is asked about");
    }
    route.public = true;
    for (const [name, { key }] of keys) {
      if (!["path", "host", "methods", "public"].includes(name)) {
        this.reader.add(key, `${name} is for routes that are asked about, but this one is public: remove one of them`);
      }
    }
  }

  #question(route: CompiledRoute, node: Node, keys: Map<string, Entry>): void {
    const action = keys.get("action");
    if (action) {
      const member = this.#references.member(route, action, "text", false);
      if (member) {
        route.name = member.value;
        route.action = typeof member.value.literal === "string" ? member.value.literal : "";
      }
    } else {
      this.reader.add(node, "action is missing: name it, such as user.view, or write public: true");
    }
    const properties = keys.get("properties");
    if (properties) {
      route.properties = this.#references.members(route, properties);
    }
    const resource = keys.get("resource");
    if (resource) {
      this.#resource(route, resource);
    } else {
      this.reader.add(node, "resource is missing: say whom or what the request is about, such as {id: {path: id}}");
    }
    const location = keys.get("location");
    if (location) {
      route.places = this.#single(route, location, "text");
      if (route.resourceProperties.some((m) => m.name === "location")) {
        this.reader.add(location.key, "location is a property of the resource too: write it once");
      }
    }
    for (const { name, form } of context) {
      const entry = keys.get(name) ?? this.#defaults.get(name);
      if (entry) {
        route.context.push(...this.#single(route, entry, form).map((member) => ({ ...member, form })));
      }
    }
  }

  #single(route: CompiledRoute, entry: Entry, form: "text" | "boolean"): Member[] {
    const member = this.#references.member(route, entry, form, true);
    return member ? [member] : [];
  }

  #resource(route: CompiledRoute, entry: Entry): void {
    const keys = this.reader.mapping(entry.value, "resource", ["type", "id", "properties"]);
    if (!keys) {
      return;
    }
    const type = keys.get("type");
    if (type) {
      const text = this.reader.text(type.value, "type") ?? "";
      this.#references.checkLength(type.value, "type", text);
      route.resourceType = text;
    }
    const id = keys.get("id");
    if (id) {
      const member = this.#references.member(route, id, "text", false);
      if (member) {
        route.id = member.value;
      }
    } else {
      this.reader.add(entry.value, "id is missing: say whom or what the request is about, such as {path: id}");
    }
    const properties = keys.get("properties");
    if (properties) {
      route.resourceProperties = this.#references.members(route, properties);
    }
  }

  #methods(route: CompiledRoute, node: Node): void {
    const elements = this.reader.list(node, "methods");
    if (elements?.length === 0) {
      this.reader.add(node, "methods is empty: list the methods, such as [GET]");
    }
    for (const element of elements ?? []) {
      const method = this.reader.text(element, "a method");
      if (method === undefined) {
        continue;
      }
      if (!isMethod(method)) {
        this.reader.add(element, `"${method}" is not a method: write it in upper case, such as GET`);
      } else if (method === "TRACE" || method === "CONNECT") {
        this.reader.add(element, `${method} is refused always: remove it`);
      } else if (route.methods.includes(method)) {
        this.reader.add(element, `${method} is there twice: remove one of them`);
      } else {
        route.methods.push(method);
      }
    }
  }

  /** Reads a host, which has to be written as requests are compared with it. */
  #host(node: Node): string | undefined {
    const text = this.reader.text(node, "host");
    if (text === undefined) {
      return undefined;
    }
    try {
      if (canonicalHost([text]) === text) {
        return text;
      }
    } catch {
      // The fault below says what to write.
    }
    const rule = "is not a host as requests are compared with it: write it in lower case, without a port or a trailing dot";
    this.reader.add(node, `host "${text}" ${rule}`);
    return undefined;
  }
}

function newRoute(line: number): CompiledRoute {
  return {
    line,
    path: "",
    host: "",
    methods: [],
    public: false,
    action: "",
    drawsBody: false,
    index: 0,
    template: [],
    resourceType: "user",
    properties: [],
    resourceProperties: [],
    places: [],
    context: [],
    drawnQuery: [],
    drawnHeaders: [],
  };
}

/** Reports whether a text is a token of at most 32 characters without lower-case letters. */
export function isMethod(text: string): boolean {
  return text.length <= 32 && isToken(text) && text.toUpperCase() === text;
}
