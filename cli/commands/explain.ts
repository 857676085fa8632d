/** `onehop explain`: why does a message match a rule, or not? */

import { once } from "node:events";
import type { Argv } from "yargs";
import { MESSAGE_TYPE_NAMES } from "../described-message.ts";
import { ExitStatus } from "../exit-status.ts";
import { type ExplainOptions, explainRule } from "../explain-rule.ts";
import type { LoadedCommand } from "../lazy-command.ts";
import { MESSAGE_OPTIONS } from "../message-options.ts";
import { paintFor } from "../print/colour.ts";

export const explainCommand: LoadedCommand<ExplainOptions> = {
  builder: addOptions,
  handler: runExplainCommand,
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

async function runExplainCommand(given: ExplainOptions): Promise<void> {
  process.exitCode = await explainRule(given, {
    paint: paintFor(process.stdout),
    print: async (text) => {
      if (!process.stdout.write(text)) await once(process.stdout, "drain");
    },
    complain: (text) => {
      process.stderr.write(`onehop: ${text}\n`);
    },
  });
}
