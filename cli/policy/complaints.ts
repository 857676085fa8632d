/** What a daemon's log tells of refusals, enforced or not, counted by who, what and which rule. */

/** One kind of refusal. */
export interface Complaint {
  readonly side: "send" | "receive" | "own";
  /** Who sent it, or wanted the name; null: the bus itself. */
  readonly userId: number | null;
  /** The beginning of its command line, as it was logged; a program can choose what it says. */
  readonly program: string;
  /** Of a message; null for a name. */
  readonly type: string | null;
  /** The name that it is for, or that was asked for. */
  readonly name: string;
  readonly interface: string | null;
  readonly member: string | null;
  /** `FILE:LINE: <rule>`; null: no rule allows it. */
  readonly decidedBy: string | null;
  readonly count: number;
}

export interface Complaints {
  /** The most frequent ones first. */
  readonly complaints: readonly Complaint[];
  /** Refusals that the daemon has counted only. */
  readonly untold: number;
  /** Lines about refusals of which it is not certain what they say. */
  readonly unclear: number;
}

type Told = Omit<Complaint, "count">;

const MESSAGE =
  /Rejected (send|receive) message, \d+ matched rules; type="(\w+)", sender="[^"]*" \((.*)\) interface="([^"]*)" member="([^"]*)" error name="[^"]*" requested_reply="[01]" destination="([^"]*)" \(.*\)(?:; (.*))?$/;
const NAME =
  /Connection "[^"]*" is not allowed to own the service "([^"]*)" due to security policies in the configuration file \((.*)\)(?:; (.*))?$/;
const UNTOLD = /(\d+) more refusals of user \S+ were not logged/;

/** Reads the lines of a log, as onehop's daemons print it, alone or in JSON, or as the journal keeps it. */
export async function readComplaints(lines: AsyncIterable<string>): Promise<Complaints> {
  const counted = new Map<string, { told: Told; count: number }>();
  let untold = 0;
  let unclear = 0;
  for await (const line of lines) {
    const text = textOf(line);
    untold += Number(UNTOLD.exec(text)?.[1] ?? 0);
    if (!text.includes("Rejected ") && !text.includes("is not allowed to own the service"))
      continue;
    const told = complaintIn(text);
    if (told === null) {
      unclear++;
      continue;
    }
    const key = JSON.stringify(told);
    const known = counted.get(key);
    if (known === undefined) counted.set(key, { told, count: 1 });
    else known.count++;
  }
  const complaints = [...counted.values()].map(({ told, count }) => ({ ...told, count }));
  return { complaints: complaints.sort((one, other) => other.count - one.count), untold, unclear };
}

/** Of a line that `--json` printed, its text. */
function textOf(line: string): string {
  if (!line.startsWith("{")) return line.trimEnd();
  try {
    const entry: unknown = JSON.parse(line);
    const isEntry = typeof entry === "object" && entry !== null && "text" in entry;
    return isEntry && typeof entry.text === "string" ? entry.text : line;
  } catch {
    return line;
  }
}

/** null: not readable, or in more than one way, as if a program had chosen its command line for this. */
function complaintIn(text: string): Told | null {
  const name = NAME.exec(text);
  if (name !== null) {
    const [, owned = "", process = "", reason] = name;
    if (text.split("is not allowed to own").length > 2) return null;
    const empty = { type: null, interface: null, member: null };
    return { side: "own", ...processOf(process), ...empty, name: owned, decidedBy: ruleOf(reason) };
  }
  const message = MESSAGE.exec(text);
  if (message === null || text.split(' interface="').length > 2) return null;
  const [, side, type = "", process = "", interfaceName, member, destination = "", reason] =
    message;
  return {
    side: side === "receive" ? "receive" : "send",
    ...processOf(process),
    type,
    name: destination,
    interface: present(interfaceName),
    member: present(member),
    decidedBy: ruleOf(reason),
  };
}

function processOf(text: string): Pick<Complaint, "userId" | "program"> {
  const [, userId] = /^uid=(\d+)/.exec(text) ?? [];
  const [, program = ""] = / comm="(.*)"/.exec(text) ?? [];
  return { userId: userId === undefined ? null : Number(userId), program: program.trim() };
}

function present(field: string | undefined): string | null {
  return field === undefined || field === "(unset)" ? null : field;
}

/** dbus-daemon itself does not tell. */
function ruleOf(reason: string | undefined): string | null {
  return /^decided by (.*)$/.exec(reason ?? "")?.[1] ?? null;
}
