/** Who decides about a message, a name or a connection, for people. */

import type {
  Judgement,
  PolicyContext,
  PolicyMessage,
  PolicyRule,
  PolicyStep,
} from "../../bus/index.ts";
import { DRIVER_NAME, MessageType } from "../../wire/protocol.ts";
import { ANYTHING_ELSE } from "../policy/asked-message.ts";
import type { JudgedCase } from "../policy/message-cases.ts";
import { describeGroup, describeUser } from "../policy/subject.ts";
import { suggestedPolicy } from "../policy/suggestion.ts";
import { type Answer, describePeer, type KnownPeer } from "../policy/why.ts";
import type { Paint } from "./colour.ts";
import { formatTable, oneLine } from "./table.ts";

type MessageAnswer = Extract<Answer, { about: "message" }>;

export function formatAnswer(answer: Answer, paint: Paint): string {
  const notes = answer.notes.map((note) => `\n${paint("note:", "yellow")} ${oneLine(note)}\n`);
  return [...linesOf(answer, paint), ...notes, ...suggestionLines(answer, paint)].join("");
}

function linesOf(answer: Answer, paint: Paint): string[] {
  const who = oneLine(describePeer(answer.sender));
  switch (answer.about) {
    case "own":
      return [
        `${who} as an owner of ${answer.name}: ${verdict(answer.judgement.isAllowed, paint)}\n\n`,
        formatRules(answer.judgement, paint),
      ];
    case "connect": {
      const { judgement, isOwner } = answer;
      return [
        `${who} as a peer: ${verdict(judgement.isAllowed, paint)}\n\n`,
        judgement.fitting.length === 0
          ? `  no rule fits: then only the user that runs the bus may connect${isOwner ? ", and this is it" : ""}\n`
          : formatRules(judgement, paint),
      ];
    }
    case "message":
      return messageLines(answer, who, paint);
  }
}

function messageLines(answer: MessageAnswer, who: string, paint: Paint): string[] {
  const { asked, sender, receiver, cases, refusedToConnect } = answer;
  const [first, ...others] = cases;
  const lines = [
    `${describeMessage(asked)} from ${oneLine(sender.text)} to ${oneLine(receiver.text)}: `,
  ];
  const peers = formatPeers(
    [
      ["sender", sender],
      ["receiver", receiver],
    ],
    paint,
  );
  if (others.length > 0) {
    const { isAllowed } = first.explanation;
    const isSame = cases.every(({ explanation }) => explanation.isAllowed === isAllowed);
    lines.push(
      isSame ? verdict(isAllowed, paint) : paint("it depends", "yellow"),
      `\n\n${peers}\n`,
      formatCases(cases, paint),
    );
  } else {
    lines.push(`${verdict(first.explanation.isAllowed, paint)}\n\n${peers}`);
    for (const step of first.explanation.steps) lines.push("\n", stepLines(step, paint));
  }
  if (refusedToConnect !== null) {
    lines.push(`\n${paint(`${who} may not even connect:`, "red")}\n`);
    lines.push(formatRules(refusedToConnect, paint));
  }
  return lines;
}

/** All that rules may ask about them. */
function formatPeers(
  peers: readonly (readonly [part: string, known: KnownPeer])[],
  paint: Paint,
): string {
  const rows = peers.map(([part, { peer }]) => {
    if (peer === null) return [part, "the bus itself", "-", DRIVER_NAME];
    const { userId, groups, names } = peer;
    return [
      part,
      userId === null ? "anybody" : describeUser(userId),
      groups === null ? "-" : groups.map(describeGroup).join(", ") || "-",
      names.join(", ") || "-",
    ];
  });
  return formatTable(["", "USER", "GROUPS", "NAMES"], rows, paint);
}

function stepLines(step: PolicyStep, paint: Paint): string {
  const side = step.asked === "send" ? "sending" : "receiving";
  return `${side}: ${verdict(step.isAllowed, paint)}\n${formatRules(step, paint)}`;
}

function verdict(isAllowed: boolean, paint: Paint): string {
  return isAllowed ? paint("allowed", "green") : paint("denied", "red");
}

/** All rules that fit, in the order of application; the last one decides. */
function formatRules({ fitting }: Judgement<PolicyRule>, paint: Paint): string {
  if (fitting.length === 0) return "  no rule fits, and what no rule allows is denied\n";
  const rows = fitting.map((rule, at) => {
    const decides = at === fitting.length - 1;
    const colour = decides ? (rule.allows ? "green" : "red") : "grey";
    return [
      decides ? " →" : "",
      paint(rule.allows ? "allow" : "deny", colour),
      describeContext(rule.context),
      oneLine(describePlace(rule)),
      oneLine(rule.origin.element),
    ];
  });
  return formatTable(["", "VERDICT", "FOR", "WHERE", "RULE"], rows, paint);
}

function formatCases(cases: readonly JudgedCase[], paint: Paint): string {
  const [, ...others] = cases;
  const shown = [...others, cases[0] as JudgedCase]; // judgedCases has one at least
  const rows = shown.map(({ message, explanation }) => {
    const { isAllowed, steps } = explanation;
    // Of several that allow it, the sender's rules are those that were written for it.
    const deciding = (isAllowed ? steps[0] : steps.at(-1))?.decidedBy ?? null;
    return [
      verdict(isAllowed, paint),
      shownField(message.path),
      shownField(message.interface),
      shownField(message.errorName ?? message.member),
      deciding === null ? "no rule allows it" : oneLine(describePlace(deciding)),
    ];
  });
  return formatTable(["VERDICT", "PATH", "INTERFACE", "MEMBER", "DECIDED BY"], rows, paint);
}

/** A star stands for what no rule mentions. */
function shownField(field: string | null): string {
  return field === null ? "-" : oneLine(field);
}

function describePlace({ origin: { file, line } }: PolicyRule): string {
  return line === 0 ? file : `${file}:${line}`;
}

export function describeContext(context: PolicyContext): string {
  switch (context.kind) {
    case "user":
      return `user ${describeUser(context.userId)}`;
    case "group":
      return `group ${describeGroup(context.groupId)}`;
    case "console":
      return context.isAtConsole ? "at console" : "not at console";
    default:
      return context.kind;
  }
}

export const TYPE_NAMES: Readonly<Record<MessageType, string>> = {
  [MessageType.MethodCall]: "method call",
  [MessageType.MethodReturn]: "method return",
  [MessageType.Error]: "error",
  [MessageType.Signal]: "signal",
};

function describeMessage(message: PolicyMessage): string {
  const { type, path, interface: interfaceName, member, errorName, unixFds } = message;
  const named = [path, interfaceName, member, errorName].filter(
    (field) => field !== null && field !== ANYTHING_ELSE,
  );
  const kinds = [
    message.destination === null ? "broadcast " : "",
    message.isOverheard ? "overheard " : "",
    message.isRequestedReply === false ? "unrequested " : "",
  ];
  const descriptors = unixFds === 0 ? "" : ` with ${unixFds} descriptors`;
  return [`${kinds.join("")}${TYPE_NAMES[type]}`, ...named].join(" ") + descriptors;
}

function suggestionLines(answer: Answer, paint: Paint): string[] {
  const suggested = suggestedPolicy(answer);
  if (suggested === null) return [];
  return [`\n${paint("to allow it, in a file that is read later:", "grey")}\n`, `  ${suggested}\n`];
}
