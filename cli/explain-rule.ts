/** A match rule explained against one message or many: what is printed, and the exit status. */

import { canonicalText } from "../matchrules/canonical.ts";
import type { Explanation } from "../matchrules/explain.ts";
import type { OwnerOf } from "../matchrules/explain-text.ts";
import { Explainer } from "../matchrules/explainer.ts";
import { parseMatchRule } from "../matchrules/parse.ts";
import type { MatchRule } from "../matchrules/rule.ts";
import { ProtocolViolation } from "../wire/violation.ts";
import {
  DescriptionError,
  describedBytes,
  type MessageDescription,
  type Naming,
} from "./described-message.ts";
import { ExitStatus } from "./exit-status.ts";
import { type ExplainedMessage, explainCapture } from "./explain-capture.ts";
import {
  jsonName,
  MESSAGE_OPTIONS,
  type MessageOptions,
  optionName,
  readJson,
  readOptions,
} from "./message-options.ts";
import { CaptureSummary } from "./print/capture-summary.ts";
import type { Paint } from "./print/colour.ts";
import {
  explanationJson,
  formatExplanation,
  type Outcome,
  outcomeOf,
} from "./print/explanation.ts";
import { formatMessageLine } from "./print/message-line.ts";
import { formatRuleError } from "./print/rule-error.ts";
import { oneLine } from "./print/table.ts";

export interface ExplainOptions extends MessageOptions {
  readonly rule: string;
  readonly message: string | undefined;
  readonly capture: string | undefined;
  readonly "message-number": number | undefined;
  readonly json: boolean;
}

/** Where it is printed. */
export interface Output {
  readonly paint: Paint;
  /** Resolves when more may be printed. */
  print(text: string): Promise<void>;
  complain(text: string): void;
}

/** The exit status: `Success`, `NoMatch` or `Usage`. */
export async function explainRule(given: ExplainOptions, output: Output): Promise<number> {
  const rule = parseMatchRule(given.rule);
  if ("code" in rule) {
    output.complain(formatRuleError(given.rule, rule));
    return ExitStatus.Usage;
  }
  try {
    return await new RuleExplanation(rule, given, output).run();
  } catch (error) {
    if (error instanceof DescriptionError) output.complain(error.message);
    else if (error instanceof ProtocolViolation) {
      output.complain(`no bus lets it pass: ${error.message}`);
    } else throw error;
    return ExitStatus.Usage;
  }
}

class RuleExplanation {
  readonly #rule: MatchRule;
  readonly #given: ExplainOptions;
  readonly #output: Output;

  constructor(rule: MatchRule, given: ExplainOptions, output: Output) {
    this.#rule = rule;
    this.#given = given;
    this.#output = output;
  }

  async run(): Promise<number> {
    const { capture, message, "message-number": number, json } = this.#given;
    if (capture !== undefined) {
      return number === undefined ? this.#all(capture) : this.#one(capture, number);
    }
    if (message !== undefined) return this.#described(readJson(message), jsonName);
    if (MESSAGE_OPTIONS.some((option) => this.#given[option] !== undefined)) {
      return this.#described(readOptions(this.#given), optionName);
    }
    if (json) await this.#printJson({ rule: canonicalText(this.#rule) });
    else await this.#output.print(`valid ${this.#ruleLine()}`);
    return ExitStatus.Success;
  }

  async #described(description: MessageDescription, naming: Naming): Promise<number> {
    const { bytes, circumstances } = describedBytes(description, naming);
    const names = circumstances.senderNames ?? [];
    const ownerOf: OwnerOf = (name) => (names.includes(name) ? description.sender : undefined);
    const explanation = new Explainer(this.#rule).explain(bytes, circumstances);
    const outcome = explanation.isMatch ? "match" : "no match";
    if (this.#given.json) {
      await this.#printJson({ ...explanationJson(explanation, ownerOf), outcome });
    } else {
      await this.#printExplanation(explanation, outcome, ownerOf);
      const { type = "signal", destination } = description;
      if (type !== "signal" && destination === undefined) {
        const note = `Only signals are broadcast: a ${type} without destination reaches nobody.`;
        await this.#output.print(`\n${this.#output.paint(note, "yellow")}\n`);
      }
    }
    return statusOf(explanation.isMatch);
  }

  /** A summary of all messages, or a line of JSON for each. */
  async #all(path: string): Promise<number> {
    const { json } = this.#given;
    const summary = new CaptureSummary();
    let unreadableCount = 0;
    let isWhole = true;
    for await (const explained of explainCapture(path, this.#rule)) {
      if ("problem" in explained) {
        const { number, problem } = explained;
        this.#output.complain(number === null ? problem : `message ${number}: ${problem}`);
        if (number === null) isWhole = false;
        else unreadableCount++;
        continue;
      }
      const { number, explanation, ownerOf } = explained;
      summary.add(number, explanation, outcomeOf(explanation, ownerOf), ownerOf);
      if (json) await this.#printCaptured(explained);
    }
    if (!json && (isWhole || summary.count > 0)) {
      await this.#output.print(this.#ruleLine());
      await this.#output.print(summary.format(unreadableCount, this.#output.paint));
    }
    return isWhole ? statusOf(summary.matchCount > 0) : ExitStatus.Usage;
  }

  async #one(path: string, wanted: number): Promise<number> {
    if (!Number.isInteger(wanted) || wanted < 1) {
      throw new DescriptionError("--message-number counts from 1, for example --message-number 7");
    }
    let count = 0;
    for await (const explained of explainCapture(path, this.#rule)) {
      count = explained.number ?? count;
      if ("problem" in explained) {
        const { number, problem } = explained;
        if (number !== null && number !== wanted) continue;
        this.#output.complain(number === null ? problem : `message ${number}: ${problem}`);
        return ExitStatus.Usage;
      }
      if (count !== wanted) continue;
      const { message, explanation, ownerOf } = explained;
      if (this.#given.json) await this.#printCaptured(explained);
      else {
        await this.#output.print(`message ${wanted}: ${formatMessageLine(message)}\n`);
        await this.#printExplanation(explanation, outcomeOf(explanation, ownerOf), ownerOf);
      }
      return statusOf(explanation.isMatch);
    }
    this.#output.complain(`${path} has no message ${wanted}: it has ${count}`);
    return ExitStatus.Usage;
  }

  async #printExplanation(
    explanation: Explanation,
    outcome: Outcome,
    ownerOf: OwnerOf,
  ): Promise<void> {
    const { paint, print } = this.#output;
    const colours = { match: "green", undecided: "yellow", "no match": "red" } as const;
    const reason = outcome === "undecided" ? ": the capture does not say who owned a name" : "";
    await print(`${this.#ruleLine()}${paint(outcome, colours[outcome])}${reason}\n\n`);
    await print(formatExplanation(explanation, ownerOf, paint));
  }

  #printCaptured({
    number,
    timeMicroseconds,
    explanation,
    ownerOf,
  }: ExplainedMessage): Promise<void> {
    const outcome = outcomeOf(explanation, ownerOf);
    const json = explanationJson(explanation, ownerOf);
    return this.#printJson({ number, timeMicroseconds, ...json, outcome });
  }

  #printJson(value: object): Promise<void> {
    return this.#output.print(`${JSON.stringify(value)}\n`);
  }

  /** As the bus reads it: what it ignores is not there. */
  #ruleLine(): string {
    return `rule: ${oneLine(canonicalText(this.#rule)) || "(no keys: every broadcast)"}\n`;
  }
}

function statusOf(isMatch: boolean): number {
  return isMatch ? ExitStatus.Success : ExitStatus.NoMatch;
}
