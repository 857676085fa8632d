/** What the bus tells whoever runs it, as entries: how they look is not its business. */

export interface LogEntry {
  readonly level: "info" | "warning" | "error";
  readonly text: string;
  readonly fields: Readonly<Record<string, string | number>>;
}

export type Log = (entry: LogEntry) => void;

/** The log of a bus that was given none. */
export const silent: Log = () => {};
