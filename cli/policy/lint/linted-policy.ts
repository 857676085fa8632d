/** A configuration as lints look at it: its rules, and a judge who knows what they come to. */

import {
  noAccounts,
  type OwnRule,
  type PolicyContext,
  PolicyExplainer,
  type PolicyMessage,
  type PolicyPeer,
  type PolicyRule,
  type PolicyStep,
  type ProvidedService,
  type ReceiveRule,
  type SendRule,
} from "../../../bus/index.ts";
import type { Configuration } from "../../../compat/dbus-daemon/configuration.ts";
import { MessageType } from "../../../wire/protocol.ts";
import { ANYTHING_ELSE } from "../asked-message.ts";
import { describeGroup, describeUser } from "../subject.ts";

/** What is linted. */
export interface LintSubject {
  /** The first file. */
  readonly path: string;
  readonly configuration: Configuration;
  readonly services: readonly ProvidedService[];
}

/** Whom only those rules are about that are for everybody. */
const EVERYBODY: PolicyPeer = { userId: null, groups: [], names: [] };
/** Of nobody: who is at the console has a number that no policy is for. */
const AT_CONSOLE: PolicyPeer = { ...EVERYBODY, userId: 0xffff_fffe };
/** A well-known name that no rule mentions. */
const OTHER_NAME = "unmentioned.name.of.nobody";

export class LintedPolicy {
  readonly subject: LintSubject;
  readonly rules: readonly PolicyRule[];
  /** On a session bus everybody is the same user: nothing has to be protected. */
  readonly isSessionBus: boolean;
  /** May everybody call everything? Then single holes are none. */
  readonly isOpen: boolean;
  readonly #policy: PolicyExplainer;

  constructor(subject: LintSubject) {
    this.subject = subject;
    this.rules = subject.configuration.policyRules;
    this.isSessionBus = subject.configuration.type === "session";
    const accounts = {
      ...noAccounts,
      isAtConsole: (userId: number) => userId === AT_CONSOLE.userId,
    };
    this.#policy = new PolicyExplainer({ rules: this.rules, accounts });
    this.isOpen = this.sent(callOf({})).isAllowed;
  }

  get sendRules(): readonly SendRule[] {
    return this.rules.filter((rule) => rule.subject === "send");
  }

  get receiveRules(): readonly ReceiveRule[] {
    return this.rules.filter((rule) => rule.subject === "receive");
  }

  get ownRules(): readonly OwnRule[] {
    return this.rules.filter((rule) => rule.subject === "own");
  }

  /** May a message be sent to a peer with this name, or with no name that is mentioned? */
  sent(
    message: PolicyMessage,
    context: PolicyContext | null = null,
    receiverName: string | null = null,
  ): PolicyStep {
    const [step] = this.#policy.message(peerOf(context), peerCalled(receiverName), message).steps;
    if (step === undefined) throw new Error("the rules of a peer are always asked");
    return step;
  }

  /** May a message be received from a peer with this name, or with no name that is mentioned? */
  received(
    message: PolicyMessage,
    context: PolicyContext | null = null,
    senderName: string | null = null,
  ): PolicyStep {
    return this.#policy.receive(peerOf(context), peerCalled(senderName).names, message);
  }

  /** May who is in `context`, or everybody, own `name`, or one that no rule mentions? */
  owns(name: string | null, context: PolicyContext | null = null): PolicyStep {
    const [step] = this.#policy.own(peerOf(context), name ?? OTHER_NAME).steps;
    if (step === undefined) throw new Error("the rules of a peer are always asked");
    return step;
  }

  /** Is there anybody who may own `name`? */
  maySomebodyOwn(name: string): boolean {
    const contexts = new Map(
      this.ownRules.map(({ context }) => [JSON.stringify(context), context]),
    );
    return [null, ...contexts.values()].some((context) => this.owns(name, context).isAllowed);
  }

  /** Do the rules of `context` let it own a name of its own: is it the user of a service? */
  isOfService(context: PolicyContext): boolean {
    return this.ownRules.some(
      (rule) =>
        rule.allows &&
        rule.name !== null &&
        JSON.stringify(rule.context) === JSON.stringify(context),
    );
  }

  /** The name that the rules of the same file are about, if it is one. */
  serviceOf({ origin: { file } }: PolicyRule): string | null {
    const names = this.ownRules
      .filter(({ origin, allows }) => allows && origin.file === file)
      .flatMap(({ name }) => (name === null || name.isPrefix ? [] : [name.name]));
    const [name = null, ...others] = new Set(names);
    return others.length === 0 ? name : null;
  }
}

/** Somebody whom no rules hold for but those for everybody, and those of `context`. */
function peerOf(context: PolicyContext | null): PolicyPeer {
  switch (context?.kind) {
    case "user":
      return { ...EVERYBODY, userId: context.userId };
    case "group":
      return { ...EVERYBODY, groups: [context.groupId] };
    case "console":
      return context.isAtConsole ? AT_CONSOLE : EVERYBODY;
    default:
      return EVERYBODY;
  }
}

function peerCalled(name: string | null): PolicyPeer {
  return { ...EVERYBODY, names: name === null ? [] : [name] };
}

/** A method call; what is not given is what no rule mentions. */
export function callOf(given: Partial<PolicyMessage>): PolicyMessage {
  const isReply = given.type === MessageType.MethodReturn || given.type === MessageType.Error;
  const open = isReply ? null : ANYTHING_ELSE;
  return {
    type: MessageType.MethodCall,
    destination: ":1.0",
    path: open,
    interface: open,
    member: open,
    errorName: given.type === MessageType.Error ? ANYTHING_ELSE : null,
    unixFds: 0,
    isRequestedReply: isReply ? false : null,
    isOverheard: false,
    ...given,
  };
}

/** The call, or other message, that a rule speaks of, as generally as it does. */
export function exampleOf(rule: SendRule | ReceiveRule): PolicyMessage {
  const fields = [
    ["path", rule.path],
    ["interface", rule.interface],
    ["member", rule.member],
    ["errorName", rule.errorName],
  ] as const;
  const named = fields.filter(([, value]) => value !== null);
  // Numbers of types in rules are those of messages.
  const type = (rule.type ?? MessageType.MethodCall) as MessageType;
  return callOf({ type, unixFds: rule.minUnixFds, ...Object.fromEntries(named) });
}

/** Whom a policy is about, as the subject of a sentence. */
export function subjectOf(context: PolicyContext): string {
  switch (context.kind) {
    case "user":
      return `user ${describeUser(context.userId)}`;
    case "group":
      return `everybody in group ${describeGroup(context.groupId)}`;
    case "console":
      return context.isAtConsole ? "everybody at the console" : "everybody not at the console";
    default:
      return "everybody";
  }
}

export function isRoot(context: PolicyContext): boolean {
  return context.kind === "user" && context.userId === 0;
}
