/** Who decides about a message, a name or a connection, for programs. */

import {
  ANYTHING_ELSE,
  type AskedMessage,
  type Judgement,
  type PolicyRule,
} from "../../bus/index.ts";
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
        cases: cases.map(({ message, judgement }) => ({
          message: fieldsJson(message),
          isAllowed: judgement.isAllowed,
          send: judgement.sent && judgementJson(judgement.sent),
          receive: judgement.received && judgementJson(judgement.received),
        })),
        connect: refusedToConnect && judgementJson(refusedToConnect),
        notes,
      };
    }
  }
}

function judgementJson({ isAllowed, decidedBy, fitting }: Judgement<PolicyRule>): object {
  return { isAllowed, decidedBy: decidedBy && ruleJson(decidedBy), fitting: fitting.map(ruleJson) };
}

function ruleJson({ allows, context, origin }: PolicyRule): object {
  return { allows, context, ...origin };
}

function peerJson({ text, userId, groups, names }: KnownPeer): object {
  return { text, userId, groups, names };
}

function messageJson(message: AskedMessage): object {
  const { unixFds, isBroadcast, isReply, isRequested, isOverheard } = message;
  const type = TYPE_NAMES[message.type].replace(" ", "_");
  return {
    type,
    ...fieldsJson(message),
    ...{ unixFds, isBroadcast, isReply, isRequested, isOverheard },
  };
}

function fieldsJson({ path, interface: interfaceName, member, errorName }: AskedMessage): object {
  const fields = Object.entries({ path, interface: interfaceName, member, errorName });
  return Object.fromEntries(fields.filter(([, field]) => field !== ANYTHING_ELSE));
}
