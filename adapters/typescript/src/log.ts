/** Takes what a checker logs: a message, and fields that name nobody. */
export interface Logger {
  info(message: string, fields: Record<string, unknown>): void;
  warn(message: string, fields: Record<string, unknown>): void;
  error(message: string, fields: Record<string, unknown>): void;
}

const write = (level: string) => (message: string, fields: Record<string, unknown>) => {
  console.error(JSON.stringify({ level, message, ...fields }));
};

/** Writes a line of JSON to the standard error. */
export const consoleLogger: Logger = { info: write("info"), warn: write("warn"), error: write("error") };

/** A logger that does nothing where another one throws: what is answered does not depend on what is logged. */
export function harmless(logger: Logger): Logger {
  const quiet =
    (level: keyof Logger): Logger["info"] =>
    (message, fields) => {
      try {
        logger[level](message, fields);
      } catch {
        // There is nobody to tell.
      }
    };
  return { info: quiet("info"), warn: quiet("warn"), error: quiet("error") };
}
