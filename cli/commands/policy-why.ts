/** `onehop policy why`: may this message pass, and which rule says so? */

import type { Argv } from "yargs";
import type { Client } from "../../client/index.ts";
import { describeProblem } from "../../compat/dbus-daemon/configuration.ts";
import { misuse } from "../command-problem.ts";
import { ExitStatus } from "../exit-status.ts";
import { type JsonMode, jsonModeOf } from "../json-mode.ts";
import type { LoadedCommand } from "../lazy-command.ts";
import { ASKED_TYPES } from "../policy/asked-message.ts";
import {
  addPolicySourceOptions,
  filesLeftOut,
  type PolicySourceOptions,
  readPolicySource,
} from "../policy/policy-source.ts";
import { type AskedBus, answerWhy, isAllowed, type WhyWords } from "../policy/why.ts";
import { paintFor } from "../print/colour.ts";
import { formatJson } from "../print/json.ts";
import { formatAnswer } from "../print/judgement.ts";
import { answerJson } from "../print/judgement-json.ts";
import { openBus, tellingProblems } from "../with-bus.ts";

interface WhyOptions extends WhyWords, PolicySourceOptions {
  readonly address: string | undefined;
  readonly offline: boolean;
  readonly json: JsonMode;
}

export const policyWhyCommand: LoadedCommand<WhyOptions> = { builder: addOptions, handler: why };

const USAGE = `onehop policy why SENDER NAME [PATH [INTERFACE [MEMBER]]]
onehop policy why SENDER --own NAME
onehop policy why SENDER --connect

Say who decides whether SENDER may send a message to NAME, may own NAME, or may connect.
SENDER: a user (alice, 1000), a user with these groups only (alice:adm,video), or a peer of a running bus (:1.42,
org.example.Service). What is left out of a message is whatever no rule mentions; - is a message without it.`;

function addOptions(yargs: Argv): Argv<WhyOptions> {
  const flag = (describe: string) => ({ describe, type: "boolean", default: false }) as const;
  const text = (describe: string) => ({ describe, type: "string", requiresArg: true }) as const;
  const own = yargs
    .usage(USAGE)
    .positional("sender", { describe: "Who sends", type: "string", demandOption: true })
    .positional("name", { describe: "The bus name it is for", type: "string" })
    .positional("path", { describe: "Object path", type: "string" })
    .positional("interface", { describe: "Interface", type: "string" })
    .positional("member", { describe: "Method or signal", type: "string" })
    .option("type", text(`One of ${ASKED_TYPES.join(", ")} [default: method_call]`))
    .option("reply", flag("A reply that NAME waits for"))
    .option("error", text("An error of this name that NAME waits for"))
    .option("unrequested", flag("The reply is one that nobody waits for"))
    .option("broadcast", flag("A signal to everybody, which NAME has subscribed to"))
    .option("overheard", flag("A message to somebody else, on which NAME eavesdrops"))
    .option("fds", {
      describe: "How many descriptors the message has",
      type: "number",
      requiresArg: true,
      default: 0,
    })
    .option("own", text("May SENDER own this name?"))
    .option("connect", flag("May SENDER connect?"))
    .option("owns", {
      ...text("A name that SENDER owns; may be repeated"),
      array: true,
      nargs: 1,
      default: [],
    })
    .option("destination-owns", {
      ...text("Another name of who owns NAME; may be repeated"),
      array: true,
      nargs: 1,
      default: [],
    })
    .option("receiver-user", text("The user of who owns NAME, with groups as for SENDER"))
    .group(
      ["type", "reply", "error", "unrequested", "broadcast", "overheard", "fds"],
      "The message:",
    )
    .group(["own", "connect"], "Other questions:")
    .group(["owns", "destination-owns", "receiver-user"], "Who they are:");
  return addPolicySourceOptions(own)
    .option("address", text("The bus to ask about peers, by its D-Bus address"))
    .option("offline", flag("Ask no bus who owns NAME"))
    .option("json", {
      alias: "j",
      describe: "Print JSON: =short on one line, =pretty, alone pretty on a terminal",
      type: "string",
      default: "off",
      coerce: (mode: string) => jsonModeOf(mode),
    })
    .example("onehop policy why 1000 org.freedesktop.login1", "what user 1000 may call of login1")
    .example(
      "onehop policy why :1.42 org.example.Service /org/example org.example.Service Frobnicate",
      "why was this message denied?",
    )
    .epilogue(
      [
        "Exit status:",
        `  ${ExitStatus.Success}  it is allowed`,
        `  ${ExitStatus.Denied}  it is denied, or some of what the question leaves open is; nobody owns the name of a peer`,
        `  ${ExitStatus.Usage}  the command line makes no sense, or no daemon would start with the configuration`,
        `  ${ExitStatus.Unreachable}  the bus cannot be reached, and is needed`,
      ].join("\n"),
    );
}

async function why(given: WhyOptions): Promise<void> {
  await tellingProblems(async () => {
    const source = readPolicySource(given);
    const warn = paintFor(process.stderr);
    for (const problem of filesLeftOut(source.configuration)) {
      process.stderr.write(`${warn("onehop:", "yellow")} ${describeProblem(problem)}\n`);
    }
    const bus = new BusOfQuestion(given);
    try {
      const answer = await answerWhy(given, source, bus);
      process.stdout.write(
        given.json === "off"
          ? formatAnswer(answer, paintFor(process.stdout))
          : formatJson(answerJson(answer), given.json),
      );
      process.exitCode = isAllowed(answer) ? ExitStatus.Success : ExitStatus.Denied;
    } finally {
      await bus.close();
    }
  });
}

/** The bus that runs with the configuration, as far as that can be known. */
class BusOfQuestion implements AskedBus {
  readonly #given: WhyOptions;
  #client: Client | null = null;

  constructor(given: WhyOptions) {
    this.#given = given;
  }

  async open(mustBe: boolean): Promise<Client | null> {
    this.#client ??= await this.#open(mustBe);
    return this.#client;
  }

  async close(): Promise<void> {
    await this.#client?.close();
  }

  async #open(mustBe: boolean): Promise<Client | null> {
    const { address, session, "config-file": file, offline } = this.#given;
    const isKnown = address !== undefined || file === undefined;
    if (offline || !isKnown) {
      if (!mustBe) return null;
      throw misuse(
        "a bus is needed to know who that peer is",
        offline ? "without --offline" : "the bus that runs with this file: --address ADDRESS",
      );
    }
    const bus = { address, system: session !== true, timeout: undefined, json: "off" } as const;
    if (mustBe || address !== undefined) return openBus(bus);
    // The answer is worth something without it, too.
    return openBus(bus).catch(() => null);
  }
}
