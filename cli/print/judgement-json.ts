/** Who decides about a message, a name or a connection, for programs. */

import type { Judgement, PolicyMessage, PolicyRule } from "../../bus/index.ts";
import { ANYTHING_ELSE } from "../policy/asked-message.ts";
import type { JudgedCase } from "../policy/message-cases.ts";
import { type Answer, isAllowed, type KnownPeer } from "../policy/why.ts";
import { TYPE_NAMES } from "./judgement.ts";

/** For `formatJson`. What the question leaves open is missing; null is a message without the field. */
export function answerJson(answer: Answer): object {
  const common = {
    about: answer.about,
    isAllowed: isAllowed(answer),
    sender: peerJson(answer.sender),
  };
  const { notes } = answer;
  switch (answer.about) {
    case "own":
      return { ...common, name: answer.name, ...judgementJson(answer.judgement), notes };
    case "connect":
      return { ...common, isOwner: answer.isOwner, ...judgementJson(answer.judgement), notes };
    case "message": {
      const { receiver, asked, cases, refusedToConnect } = answer;
      return {
        ...common,
        receiver: peerJson(receiver),
        message: messageJson(asked),
        cases: cases.map(caseJson),
        connect: refusedToConnect && judgementJson(refusedToConnect),
        notes,
      };
    }
  }
}

function caseJson({ message, explanation: { isAllowed, steps } }: JudgedCase): object {
  const judgements = steps.map((step) => [step.asked, judgementJson(step)]);
  return { message: fieldsJson(message), isAllowed, ...Object.fromEntries(judgements) };
}

function judgementJson({ isAllowed, decidedBy, fitting }: Judgement<PolicyRule>): object {
  return { isAllowed, decidedBy: decidedBy && ruleJson(decidedBy), fitting: fitting.map(ruleJson) };
}

function ruleJson({ allows, context, origin }: PolicyRule): object {
  return { allows, context, ...origin };
}

function peerJson({ text, peer }: KnownPeer): object {
  return { text, ...peer };
}

function messageJson(message: PolicyMessage): object {
  const { destination, unixFds, isRequestedReply, isOverheard } = message;
  const type = TYPE_NAMES[message.type].replace(" ", "_");
  return { type, destination, ...fieldsJson(message), unixFds, isRequestedReply, isOverheard };
}

function fieldsJson({ path, interface: interfaceName, member, errorName }: PolicyMessage): object {
  const fields = Object.entries({ path, interface: interfaceName, member, errorName });
  return Object.fromEntries(fields.filter(([, field]) => field !== ANYTHING_ELSE));
}
