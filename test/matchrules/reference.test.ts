import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import fc from "fast-check";
import { canonicalText } from "../../matchrules/canonical.ts";
import { parseMatchRule } from "../../matchrules/parse.ts";
import type { MatchRule } from "../../matchrules/rule.ts";
import { awkwardText, rules } from "./arbitraries.ts";
import { deliveryCases, type Emission, parseCases } from "./match-edges.ts";
import { hasReferenceDaemon, ReferenceDaemon, type ReferencePeer } from "./reference-daemon.ts";

const ERROR_PREFIX = "org.freedesktop.DBus.Error.";

const isInstalled = hasReferenceDaemon();

// Where there is no dbus-daemon, nothing is compared, and `hasReferenceDaemon` has said so.
if (!isInstalled) {
  test("is not compared with dbus-daemon, which is not installed", () => {
    expect(process.env["ONEHOP_REQUIRE_PEERS"]).not.toBe("1");
  });
} else {
  describe("as dbus-daemon does", () => {
    let daemon: ReferenceDaemon;
    let receiver: ReferencePeer;
    let sender: ReferencePeer;
    let other: ReferencePeer;

    beforeAll(async () => {
      daemon = await ReferenceDaemon.start();
      receiver = await daemon.connect();
      sender = await daemon.connect();
      other = await daemon.connect();
      await sender.call("RequestName", ["s", "org.own.S"], ["u", 0]);
      await other.call("RequestName", ["s", "org.own.T"], ["u", 0]);
    });

    afterAll(async () => {
      for (const peer of [receiver, sender, other]) peer.close();
      await daemon.stop();
    });

    test.each(Object.entries(parseCases))("%s", async (_name, cases) => {
      for (const [text] of cases) await expectSameVerdict(receiver, text);
    });

    test("generated odd texts are accepted and refused, in the same words", async () => {
      await fc.assert(
        fc.asyncProperty(awkwardText, (text) => expectSameVerdict(receiver, text)),
        { numRuns: 1000 },
      );
    });

    test("generated rules are the same rule if their canonical texts are equal", async () => {
      await fc.assert(
        fc.asyncProperty(rules, rules, async (one, another) => {
          const [added, removed] = [canonicalText(one), canonicalText(another)];
          const isSame = sameForReference(one) === sameForReference(another);
          expect((await receiver.call("AddMatch", ["s", added])).errorName).toBe("");
          const { errorName } = await receiver.call("RemoveMatch", ["s", removed]);
          expect(errorName).toBe(isSame ? "" : `${ERROR_PREFIX}MatchRuleNotFound`);
          if (!isSame) await receiver.call("RemoveMatch", ["s", added]);
        }),
        { numRuns: 300 },
      );
    });

    test("save that dbus-daemon 1.14 removes a rule with another path_namespace", async () => {
      await receiver.call("AddMatch", ["s", "path_namespace='/a'"]);
      const { errorName } = await receiver.call("RemoveMatch", ["s", "path_namespace='/b'"]);
      expect(errorName).toBe("");
    });

    test.each(deliveryCases)("delivery of %j, %j", async (texts, emission, isMatch) => {
      const named = texts.map((text) =>
        text.replace("%R", receiver.name).replace("%T", other.name),
      );
      for (const text of named) await receiver.call("AddMatch", ["s", text]);
      await receiver.received();
      emit(sender, emission, { receiver: receiver.name, other: other.name });
      await sender.received();
      expect(await receiver.received()).toHaveLength(isMatch ? 1 : 0);
      for (const text of named) await receiver.call("RemoveMatch", ["s", text]);
    });
  });
}

/** Also: a rule that we take for `canonicalText` of it is taken for that by the daemon. */
async function expectSameVerdict(peer: ReferencePeer, text: string): Promise<void> {
  const ours = parseMatchRule(text);
  const theirs = await peer.call("AddMatch", ["s", text]);
  if ("code" in ours) {
    expect([ERROR_PREFIX + ours.code, ours.text]).toEqual([theirs.errorName, theirs.text]);
  } else {
    expect([theirs.errorName, theirs.text]).toEqual(["", ""]);
    const canonical = canonicalText(ours);
    const removed = await peer.call("RemoveMatch", [
      "s",
      canonical.length > 1024 ? text : canonical,
    ]);
    expect([canonical, removed.errorName]).toEqual([canonical, ""]);
  }
}

function emit(sender: ReferencePeer, emission: Emission, names: Record<string, string>): void {
  const { argument, destination } = emission;
  sender.send({
    type: 4,
    path: emission.path ?? "/aa/bb",
    interface: "org.x.Y",
    member: "M",
    destination: destination === undefined ? null : (names[destination] ?? null),
    args:
      argument === undefined || argument.kind === "other"
        ? []
        : [[argument.kind === "path" ? "o" : "s", argument.value]],
  });
}

/** dbus-daemon 1.14 does not compare the values of path_namespace; see grammar.md. */
function sameForReference(rule: MatchRule): string {
  return canonicalText({ ...rule, pathNamespace: rule.pathNamespace === null ? null : "/" });
}
