/** Which messages are shown. */

import { type DescribedArgument, matches } from "../../matchrules/match.ts";
import { type MatchRule, matchRule } from "../../matchrules/rule.ts";
import type { MessageHeader } from "../../wire/message.ts";
import { isPathWithin } from "../../wire/object-path.ts";
import { DRIVER_NAME, MessageType } from "../../wire/protocol.ts";
import { parseSignature } from "../../wire/signature.ts";
import type { KnownNames } from "./known-names.ts";
import type { WatchedMessage } from "./watched-message.ts";

/**
 * Each kind holds if it is empty or one of its members does; all kinds have to hold.
 *
 * A reply has neither path nor interface nor member, and no well-known name: it is wanted if it is itself, or if
 * the call is that it answers. `types`, the `type` of rules and `errors` are about the message that is shown.
 */
export interface FilterOptions {
  /** From, to or (a signal of the bus) about one of these, by whatever name the message has it. */
  readonly names: readonly string[];
  readonly senders: readonly string[];
  readonly destinations: readonly string[];
  readonly paths: readonly string[];
  /** Of the same kind as `paths`. */
  readonly pathNamespaces: readonly string[];
  readonly interfaces: readonly string[];
  readonly members: readonly string[];
  readonly types: readonly MessageType[];
  /** Only errors of these names. */
  readonly errors: readonly string[];
  readonly rules: readonly MatchRule[];
}

export const NO_FILTER: FilterOptions = Object.freeze({
  names: [],
  senders: [],
  destinations: [],
  paths: [],
  pathNamespaces: [],
  interfaces: [],
  members: [],
  types: [],
  errors: [],
  rules: [],
});

const ALL_TYPES = ~0;
/** Signals by which the bus tells of a name, its first argument. */
const NAME_SIGNALS: ReadonlySet<string> = new Set(["NameOwnerChanged", "NameAcquired", "NameLost"]);

type Message = WatchedMessage["message"];

export class Filter {
  readonly #options: FilterOptions;
  readonly #names: KnownNames;
  readonly #rules: readonly MatchRule[];
  readonly #asksForArguments: boolean;
  readonly #types: number;

  /** `names` has to be up to date with the message that is asked about. */
  constructor(options: FilterOptions, names: KnownNames) {
    this.#options = options;
    this.#names = names;
    // Of whatever type, and as if overheard: as a bus asks the rules of its monitors.
    this.#rules = options.rules.map((rule) => matchRule({ ...rule, type: 0, eavesdrop: true }));
    this.#asksForArguments = options.rules.some(({ args }) => args.length > 0);
    this.#types = options.types.reduce(
      (types, type) => types | typeBit(type),
      options.types.length === 0 ? ALL_TYPES : 0,
    );
  }

  /** The types of which a message has to be to be shown, if it is `watched` itself or answers it: a bit for each. */
  selection({ message }: WatchedMessage): number {
    return this.#isOfOurs(message) ? this.#types & this.#ruleTypes(message) : 0;
  }

  /** Is it shown? `selection` is its own, `callSelection` that of the call that it answers, or 0. */
  shows(message: MessageHeader, selection: number, callSelection: number): boolean {
    const { errors } = this.#options;
    if (((selection | callSelection) & typeBit(message.type)) === 0) return false;
    return (
      errors.length === 0 || (message.errorName !== null && errors.includes(message.errorName))
    );
  }

  #isOfOurs(message: Message): boolean {
    const { names, senders, destinations, interfaces, members } = this.#options;
    return (
      isOneOf(message.interface, interfaces) &&
      isOneOf(message.member, members) &&
      this.#isAtPath(message.path) &&
      (senders.length === 0 || this.#leadsTo(message.sender, senders)) &&
      (destinations.length === 0 || this.#leadsTo(message.destination, destinations)) &&
      (names.length === 0 ||
        this.#leadsTo(message.sender, names) ||
        this.#leadsTo(message.destination, names) ||
        isAbout(message, names))
    );
  }

  #isAtPath(path: string | null): boolean {
    const { paths, pathNamespaces } = this.#options;
    if (paths.length === 0 && pathNamespaces.length === 0) return true;
    if (path === null) return false;
    return (
      paths.includes(path) || pathNamespaces.some((namespace) => isPathWithin(path, namespace))
    );
  }

  #leadsTo(endpoint: string | null, wanted: readonly string[]): boolean {
    if (endpoint === null) return false;
    return this.#names.allNamesOf(endpoint).some((name) => wanted.includes(name));
  }

  #ruleTypes(message: Message): number {
    if (this.#rules.length === 0) return ALL_TYPES;
    const { sender, destination } = message;
    const described = {
      ...message,
      sender: sender ?? "",
      senderNames: sender === null ? [] : this.#names.namesOf(sender),
      destinationNames: destination === null ? [] : this.#names.allNamesOf(destination),
      args: this.#asksForArguments ? argumentsOf(message) : [],
    };
    let types = 0;
    this.#rules.forEach((rule, index) => {
      const type = this.#options.rules[index]?.type ?? 0;
      if (matches(rule, described)) types |= type === 0 ? ALL_TYPES : typeBit(type);
    });
    return types;
  }
}

/** Types that this version of the protocol does not know share a bit. */
function typeBit(type: number): number {
  return type <= MessageType.Signal ? 1 << type : 1;
}

function isOneOf(value: string | null, wanted: readonly string[]): boolean {
  return wanted.length === 0 || (value !== null && wanted.includes(value));
}

function isAbout(message: Message, names: readonly string[]): boolean {
  if (message.type !== MessageType.Signal || message.sender !== DRIVER_NAME) return false;
  if (!NAME_SIGNALS.has(message.member ?? "")) return false;
  const [name] = message.body;
  return typeof name === "string" && names.includes(name);
}

function argumentsOf({ signature, body }: Message): DescribedArgument[] {
  return parseSignature(signature).map(({ code }, index) => {
    if (code !== "s" && code !== "o") return { kind: "other" };
    return { kind: code === "s" ? "string" : "path", value: String(body[index]) };
  });
}
