/** `onehop explain`: why does a message match a rule, or not? */

import { once } from "node:events";
import type { Argv, CommandModule } from "yargs";
import { canonicalText } from "../../matchrules/canonical.ts";
import type { OwnerOf } from "../../matchrules/explain-text.ts";
import { Explainer } from "../../matchrules/explainer.ts";
import { parseMatchRule } from "../../matchrules/parse.ts";
import type { MatchRule } from "../../matchrules/rule.ts";
import { ProtocolViolation } from "../../wire/violation.ts";
import {
  DescriptionError,
  describedBytes,
  MESSAGE_TYPE_NAMES,
  type MessageDescription,
  type Naming,
} from "../described-message.ts";
import { ExitStatus } from "../exit-status.ts";
import { explainCapture } from "../explain-capture.ts";
import {
  jsonName,
  MESSAGE_OPTIONS,
  type MessageOptions,
  optionName,
  readJson,
  readOptions,
} from "../message-options.ts";
import { CaptureSummary } from "../print/capture-summary.ts";
import { paintFor } from "../print/colour.ts";
import {
  explanationJson,
  formatExplanation,
  type Outcome,
  outcomeOf,
} from "../print/explanation.ts";
import { formatMessageLine } from "../print/message-line.ts";
import { formatRuleError } from "../print/rule-error.ts";
import { oneLine } from "../print/table.ts";

interface ExplainOptions extends MessageOptions {
  readonly rule: string;
  readonly message: string | undefined;
  readonly capture: string | undefined;
  readonly "message-number": number | undefined;
  readonly json: boolean;
}

export const explainCommand: CommandModule<object, ExplainOptions> = {
  command: "explain <rule>",
  describe: "Say why a message matches a match rule, or why not",
  builder: addOptions,
  handler: explainRule,
};

function addOptions(yargs: Argv): Argv<ExplainOptions> {
  const text = (describe: string) => ({ describe, type: "string", requiresArg: true }) as const;
  const texts = (describe: string) => ({ ...text(describe), array: true, nargs: 1 }) as const;
  return yargs
    .usage("onehop explain RULE [message]\n\nSay why a message matches a match rule, or why not")
    .positional("rule", { describe: "As in AddMatch", type: "string", demandOption: true })
    .option("type", text(`One of ${MESSAGE_TYPE_NAMES.join(", ")} [default: signal]`))
    .option("sender", text("Unique name of the sender"))
    .option("owns", texts("Well-known name that the sender owns; may be repeated"))
    .option("path", text("Object path"))
    .option("interface", text("Interface"))
    .option("member", text("Signal or method"))
    .option("error-name", text("Name of the error"))
    .option("destination", text("Name of the connection that the message is for"))
    .option("destination-owns", texts("Another name of that connection; may be repeated"))
    .option("signature", text("Types of the arguments [default: as many strings as needed]"))
    .option("arg", texts("N=VALUE, argument N from 0; texts as they are, others in JSON"))
    .option("message", text("The same as one JSON object"))
    .option("capture", text("A pcap or pcapng file of messages; - is standard input"))
    .option("message-number", {
      describe: "Only this message of the capture, counted from 1",
      type: "number",
      requiresArg: true,
      implies: "capture",
    })
    .option("json", {
      describe: "One JSON object per message",
      type: "boolean",
      default: false,
    })
    .group([...MESSAGE_OPTIONS, "message"], "A message that is described:")
    .group(["capture", "message-number"], "Messages that were captured:")
    .conflicts("capture", [...MESSAGE_OPTIONS, "message"])
    .conflicts("message", MESSAGE_OPTIONS)
    .example(
      `onehop explain "member='Changed',arg0='a'" --path /a --interface a.b --member Changed --arg 0=a`,
      "against a described signal",
    )
    .example(`onehop explain "sender='org.example.Name'" --capture FILE`, "against captured ones")
    .epilogue(
      [
        "Exit status:",
        `  ${ExitStatus.Success}  the message matches, or one of the capture does; without a message: the rule is valid`,
        `  ${ExitStatus.NoMatch}  it does not, or none does`,
        `  ${ExitStatus.Usage}  the rule, the description or the capture cannot be read`,
      ].join("\n"),
    );
}

async function explainRule(given: ExplainOptions): Promise<void> {
  const paint = paintFor(process.stderr);
  const rule = parseMatchRule(given.rule);
  if ("code" in rule) return fail(formatRuleError(given.rule, rule, paint));
  try {
    if (given.capture !== undefined) {
      await (given["message-number"] === undefined
        ? explainAll(rule, given.capture, given.json)
        : explainOne(rule, given.capture, given["message-number"], given.json));
    } else if (given.message !== undefined) {
      explainDescribed(rule, readJson(given.message), jsonName, given.json);
    } else if (MESSAGE_OPTIONS.some((option) => given[option] !== undefined)) {
      explainDescribed(rule, readOptions(given), optionName, given.json);
    } else {
      print(given.json ? { rule: canonicalText(rule) } : `valid ${formatRule(rule)}`);
    }
  } catch (error) {
    if (error instanceof DescriptionError) fail(error.message);
    else if (error instanceof ProtocolViolation) fail(`no bus lets it pass: ${error.message}`);
    else throw error;
  }
}

function explainDescribed(
  rule: MatchRule,
  description: MessageDescription,
  naming: Naming,
  isJson: boolean,
): void {
  const { bytes, circumstances } = describedBytes(description, naming);
  const names = circumstances.senderNames ?? [];
  const ownerOf: OwnerOf = (name) => (names.includes(name) ? description.sender : undefined);
  const explanation = new Explainer(rule).explain(bytes, circumstances);
  process.exitCode = explanation.isMatch ? ExitStatus.Success : ExitStatus.NoMatch;
  if (isJson) {
    print(explanationJson(explanation, ownerOf));
    return;
  }
  const paint = paintFor(process.stdout);
  print(formatOutcome(rule, explanation.isMatch ? "match" : "no match"));
  print(formatExplanation(explanation, ownerOf, paint));
  const { type = "signal", destination } = description;
  if (type !== "signal" && destination === undefined) {
    print(
      paint(
        `\nOnly signals are broadcast: a ${type} without destination reaches nobody.\n`,
        "yellow",
      ),
    );
  }
}

async function explainAll(rule: MatchRule, path: string, isJson: boolean): Promise<void> {
  const summary = new CaptureSummary();
  let unreadableCount = 0;
  let isWhole = true;
  for await (const explained of explainCapture(path, rule)) {
    if ("problem" in explained) {
      complain(explained.number, explained.problem);
      if (explained.number === null) isWhole = false;
      else unreadableCount++;
      continue;
    }
    const { number, timeMicroseconds, explanation, ownerOf } = explained;
    summary.add(number, explanation, outcomeOf(explanation, ownerOf), ownerOf);
    if (!isJson) continue;
    const line = { number, timeMicroseconds, ...explanationJson(explanation, ownerOf) };
    if (!process.stdout.write(`${JSON.stringify(line)}\n`)) await once(process.stdout, "drain");
  }
  const isMatch = summary.matchCount > 0;
  process.exitCode = isMatch ? ExitStatus.Success : ExitStatus.NoMatch;
  if (!isWhole) process.exitCode = ExitStatus.Usage;
  if (isJson || (!isWhole && summary.count === 0)) return;
  print(formatRule(rule));
  print(summary.format(unreadableCount, paintFor(process.stdout)));
}

async function explainOne(
  rule: MatchRule,
  path: string,
  wanted: number,
  isJson: boolean,
): Promise<void> {
  let count = 0;
  for await (const explained of explainCapture(path, rule)) {
    count = explained.number ?? count;
    if ("problem" in explained) {
      if (explained.number !== null && count !== wanted) continue;
      return fail(
        explained.number === null ? explained.problem : `message ${count}: ${explained.problem}`,
      );
    }
    if (count !== wanted) continue;
    const { number, timeMicroseconds, message, explanation, ownerOf } = explained;
    const outcome = outcomeOf(explanation, ownerOf);
    process.exitCode = explanation.isMatch ? ExitStatus.Success : ExitStatus.NoMatch;
    if (isJson) {
      return print({ number, timeMicroseconds, ...explanationJson(explanation, ownerOf) });
    }
    print(`message ${number}: ${formatMessageLine(message)}\n`);
    print(formatOutcome(rule, outcome));
    print(formatExplanation(explanation, ownerOf, paintFor(process.stdout)));
    return;
  }
  fail(`${path} has no message ${wanted}: it has ${count}`);
}

function formatOutcome(rule: MatchRule, outcome: Outcome): string {
  const colours = { match: "green", undecided: "yellow", "no match": "red" } as const;
  const text = paintFor(process.stdout)(outcome, colours[outcome]);
  const reason = outcome === "undecided" ? ": the capture does not say who owned a name" : "";
  return `${formatRule(rule)}${text}${reason}\n\n`;
}

/** As the bus reads it: what it ignores is not there. */
function formatRule(rule: MatchRule): string {
  return `rule: ${oneLine(canonicalText(rule)) || "(no keys: every broadcast)"}\n`;
}

/** Text as it is, and objects as a line of JSON. */
function print(what: string | object): void {
  process.stdout.write(typeof what === "string" ? what : `${JSON.stringify(what)}\n`);
}

function complain(number: number | null, problem: string): void {
  process.stderr.write(`onehop: ${number === null ? "" : `message ${number}: `}${problem}\n`);
}

function fail(text: string): void {
  complain(null, text);
  process.exitCode = ExitStatus.Usage;
}
