/** What was refused, or would be, and what would allow it. */

import type { Complaint, Complaints } from "../policy/complaints.ts";
import { describeUser } from "../policy/subject.ts";
import { userNameOf } from "../process-facts.ts";
import type { Paint } from "./colour.ts";
import { formatTable, oneLine } from "./table.ts";

/** A program's command line can be long, and it is not to be trusted. */
const PROGRAM_CHARACTERS = 24;

export function formatComplaints(
  { complaints, untold, unclear }: Complaints,
  paint: Paint,
): string {
  if (complaints.length + untold + unclear === 0) return "nothing was refused\n";
  const rows = complaints.map((complaint) => [
    String(complaint.count),
    complaint.userId === null ? "the bus" : describeUser(complaint.userId),
    oneLine(complaint.program, PROGRAM_CHARACTERS) || "-",
    complaint.side,
    oneLine(whatOf(complaint)),
    oneLine(complaint.decidedBy ?? "no rule allows it"),
  ]);
  const titles = ["COUNT", "USER", "PROGRAM", "SIDE", "WHAT", "DECIDED BY"];
  return [
    complaints.length === 0 ? "" : formatTable(titles, rows, paint),
    untold === 0 ? "" : `${paint("note:", "yellow")} ${untold} more were counted and not logged\n`,
    unclear === 0 ? "" : `${paint("note:", "yellow")} ${unclear} lines could not be understood\n`,
    formatSuggestions(complaints, paint),
  ].join("");
}

function whatOf({ type, name, interface: interfaceName, member }: Complaint): string {
  if (type === null) return name;
  const method = [interfaceName, member].filter((part) => part !== null).join(".");
  return `${type} ${name}${method === "" ? "" : ` ${method}`}`;
}

/** The narrowest policies for calls to well-known names, and for names. */
function formatSuggestions(complaints: readonly Complaint[], paint: Paint): string {
  const byUser = new Map<number, Set<string>>();
  for (const complaint of complaints) {
    const rule = ruleFor(complaint);
    if (rule === null || complaint.userId === null) continue;
    const rules = byUser.get(complaint.userId) ?? new Set();
    byUser.set(complaint.userId, rules.add(rule));
  }
  if (byUser.size === 0) return "";
  const policies = [...byUser].map(([userId, rules]) =>
    [
      `<policy user="${userNameOf(userId)}">`,
      ...[...rules].sort().map((rule) => `  ${rule}`),
      "</policy>",
    ].join("\n"),
  );
  const title = "to allow what of it should be (look at each line):";
  return `\n${paint(title, "grey")}\n${policies.join("\n")}\n`;
}

function ruleFor({ side, type, name, interface: interfaceName, member }: Complaint): string | null {
  // What a rule is made of has to be a name, whatever a log says.
  const isPlain = [name, interfaceName ?? "", member ?? ""].every((text) => /^[\w.-]*$/.test(text));
  if (!isPlain) return null;
  if (side === "own") return `<allow own="${name}"/>`;
  if (side !== "send" || type !== "method_call") return null;
  const narrow =
    interfaceName === null
      ? ""
      : ` send_interface="${interfaceName}"${member === null ? "" : ` send_member="${member}"`}`;
  return `<allow send_destination="${name}"${narrow}/>`;
}
