import type { Template } from "./template.js";
import type { Member, Value } from "./value.js";

/** A route of a route file. */
export interface Route {
  /** In the file, from 1. */
  line: number;
  path: string;
  /** "" if any. */
  host: string;
  methods: string[];
  public: boolean;
  /** "" if it is drawn from the request, or if the route is public. */
  action: string;
  /** The question draws from the body. */
  drawsBody: boolean;
}

/** A route with its compiled parts. */
export interface CompiledRoute extends Route {
  /** In the file's order. */
  index: number;
  template: Template;
  resourceType: string;
  name?: Value;
  id?: Value;
  properties: Member[];
  resourceProperties: Member[];
  places: Member[];
  context: ContextMember[];
  drawnQuery: string[];
  drawnHeaders: string[];
}

/** A member of the context, with what it has to be. */
export interface ContextMember extends Member {
  form: "text" | "boolean";
}

/** Reports whether a route matches a host and a method. A route for GET also takes HEAD. */
export function takes(route: Route, host: string, method: string): boolean {
  return (
    (route.host === "" || route.host === host) &&
    (route.methods.includes(method) || (method === "HEAD" && route.methods.includes("GET")))
  );
}
