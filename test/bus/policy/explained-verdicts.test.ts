/** What a policy says that it would do is what a bus with it does. */

import { expect, test } from "@jest/globals";
import fc from "fast-check";
import { createBus } from "../../../bus/index.ts";
import {
  PolicyExplainer,
  type PolicyMessage,
  type PolicyPeer,
} from "../../../bus/policy/explain.ts";
import type { Endpoint } from "../../../routing/endpoint.ts";
import { Header } from "../../../wire/header.ts";
import type { Strings } from "../../../wire/intern.ts";
import { Memory, SLACK_BYTES } from "../../../wire/memory.ts";
import { Message } from "../../../wire/message.ts";
import { encodeMessage } from "../../../wire/message-codec.ts";
import { MemoryPeer } from "../../support/memory-peer.ts";
import { message, NAMES, peer, policyRules } from "./arbitrary-policies.ts";
import { ALLOW_ALL, policyOf } from "./policy-text.ts";

const everything = policyOf(ALLOW_ALL);
const others = everything.rules.filter(({ subject }) => subject !== "own");

/** The header of a message like `asked`, as it comes to the gatekeeper. */
function headerOf(asked: PolicyMessage, strings: Strings): Header | null {
  const { type, path, interface: name, member, errorName } = asked;
  // What no valid message lacks: the bus never sees one without.
  if (type === 1 && (path === null || member === null)) return null;
  if (type === 4 && (path === null || member === null || name === null)) return null;
  if (type === 3 && errorName === null) return null;
  if ((type === 2 || type === 3) && asked.isRequestedReply === null) return null;
  const replySerial = asked.isRequestedReply === null ? null : 7;
  const { unixFds, destination } = asked;
  const fields = { type, path, interface: name, member, errorName, replySerial, unixFds };
  const bytes = encodeMessage(new Message({ ...fields, destination }, []), 1, true);
  const memory = new Memory(new ArrayBuffer(bytes.length + SLACK_BYTES));
  memory.bytes.set(bytes);
  const header = new Header(memory);
  expect(header.parse(strings, memory, 0)).toBe(0);
  return header;
}

test("messages pass, names are given and copies made as explained, at first and from then on", async () => {
  let judged = 0;
  const random = fc.asyncProperty(
    policyRules,
    peer,
    peer,
    fc.array(message, { minLength: 10, maxLength: 40, size: "max" }),
    async (rules, sender, receiver, messages) => {
      const bus = createBus({ policy: () => everything });
      const join = async ({
        userId,
        groups,
        names,
      }: PolicyPeer): Promise<[MemoryPeer, Endpoint]> => {
        const joined = await MemoryPeer.join(bus, { userId, groups: [...(groups ?? [])] });
        for (const name of names) await joined.driver("RequestName", "su", [name, 0]);
        return [joined, bus.directory.findText(joined.uniqueName) as Endpoint]; // it is there
      };
      const [[one, from], [two, to]] = [await join(sender), await join(receiver)];
      bus.usePolicy({ rules });
      const explainer = new PolicyExplainer({ rules });
      const described = [
        { ...sender, names: [...sender.names, one.uniqueName] },
        { ...receiver, names: [...receiver.names, two.uniqueName] },
      ] as const;
      for (const asked of [...messages, ...messages]) {
        const header = headerOf(asked, bus.strings);
        if (header === null) continue;
        judged++;
        const { gatekeeper } = bus.router;
        const isRequested = asked.isRequestedReply === true;
        const direct = { ...asked, isOverheard: false };
        const passes = gatekeeper?.mayPass(from, to, header, isRequested) ?? true;
        expect(passes).toBe(explainer.message(...described, direct).isAllowed);
        const copy = {
          ...asked,
          isRequestedReply: asked.isRequestedReply === null ? null : false,
          isOverheard: asked.destination !== null,
        };
        gatekeeper?.beginCopies(header);
        const hears = gatekeeper?.mayHear(from, to, header) ?? true;
        expect(hears).toBe(explainer.message(...described, copy).isAllowed);
        const isTold = gatekeeper?.mayBeTold(to, header) ?? true;
        const fromBus = {
          ...direct,
          isRequestedReply: asked.isRequestedReply === null ? null : true,
        };
        expect(isTold).toBe(explainer.message(null, described[1], fromBus).isAllowed);
      }
      // Everything but names is allowed now, so that the bus can be asked.
      const own = rules.filter(({ subject }) => subject === "own");
      bus.usePolicy({ rules: [...others, ...own] });
      for (const name of NAMES) {
        const reply = await one.driver("RequestName", "su", [name, 0]);
        expect(reply.errorName === null).toBe(explainer.own(sender, name).isAllowed);
      }
    },
  );
  await fc.assert(random, { numRuns: 40 });
  expect(judged).toBeGreaterThan(200);
});

test("snapshots are shared by peers with the same rules, and gone with the last of them", async () => {
  const text = `${ALLOW_ALL}<policy user="games"><deny send_interface="a.b"/></policy>
    <policy group="lp"><deny send_interface="a.c"/></policy>`;
  const bus = createBus({ policy: () => policyOf(text) });
  const join = (userId: number, groups: number[]): Promise<MemoryPeer> =>
    MemoryPeer.join(bus, { userId, groups });
  const before = bus.policySnapshotCount;
  const peers = [await join(1, [1]), await join(2, [2, 3]), await join(3, [4])];
  expect(bus.policySnapshotCount).toBe(before + 1);
  peers.push(await join(5, [60]), await join(5, [60, 7]), await join(1, [7]), await join(2, [7]));
  expect(bus.policySnapshotCount).toBe(before + 4);
  for (const joined of peers) joined.end.close();
  await MemoryPeer.join(bus, { userId: 1, groups: [] });
  expect(bus.policySnapshotCount).toBe(before + 1);
});
