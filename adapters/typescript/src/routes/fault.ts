/** A mistake in a route file: what is wrong, and what to do. Lines and columns count from 1. */
export interface Fault {
  line: number;
  column: number;
  message: string;
}

/** Every fault of a route file, by position. */
export class RouteFileError extends Error {
  constructor(readonly faults: Fault[]) {
    super(faults.map((f) => `line ${f.line}, column ${f.column}: ${f.message}`).join("\n"));
    this.name = "RouteFileError";
  }
}
