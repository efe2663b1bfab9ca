import type { ReadBody } from "./body.js";
import type { Fields } from "./header.js";

/** A request to judge. An adapter passes on what it received, unchanged. */
export interface HttpRequest {
  method: string;
  /** The request target as received: path and query, still encoded. */
  target: string;
  /** Every field of the header, Host included. */
  fields: Fields;
  /** Returns the whole body. It is called at most once, and only if the question draws from the body. */
  readBody?: ReadBody;
  /**
   * Reports whether the caller is an authenticated proxy: only then may a header name the person. It is called where that matters. If
   * it throws, there is no answer.
   */
  fromProxy?: () => boolean;
}
