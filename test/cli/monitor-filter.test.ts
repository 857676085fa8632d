/** Which messages a monitor shows: by hand, and compared with looking at the whole history for each message. */

import { describe, expect, test } from "@jest/globals";
import fc from "fast-check";
import { busRules } from "../../cli/monitor/bus-rules.ts";
import { type FilterOptions, NO_FILTER } from "../../cli/monitor/filter.ts";
import { Observer } from "../../cli/monitor/observer.ts";
import type { WatchedMessage } from "../../cli/monitor/watched-message.ts";
import { matches } from "../../matchrules/match.ts";
import { parseMatchRule } from "../../matchrules/parse.ts";
import { type MatchRule, matchRule } from "../../matchrules/rule.ts";
import { DRIVER_NAME, MessageType } from "../../wire/protocol.ts";
import { filters, histories, ownerChange, watched } from "./monitor-history.ts";

const { MethodCall, MethodReturn, Error: ErrorReply, Signal } = MessageType;
const place = { path: "/org/example", interface: "org.example.Player", member: "Play" };

const call = (serial: number, sender: string, destination: string) =>
  watched({ ...place, type: MethodCall, serial, sender, destination });
const reply = (replySerial: number, sender: string, destination: string) =>
  watched({ type: MethodReturn, sender, destination, replySerial });
const refusal = (replySerial: number, sender: string, destination: string) =>
  watched({ type: ErrorReply, sender, destination, replySerial, errorName: "org.example.No" });
const signal = (sender: string) => watched({ ...place, type: Signal, sender });

/** Places of the messages that are shown. */
function shown(options: Partial<FilterOptions>, history: readonly WatchedMessage[]): number[] {
  const observer = new Observer({ ...NO_FILTER, ...options });
  return history.flatMap((message, index) => (observer.see(message) === null ? [] : [index]));
}

function rule(text: string): MatchRule {
  const parsed = parseMatchRule(text);
  if ("code" in parsed) throw new Error(parsed.text);
  return parsed;
}

describe("by name", () => {
  const history = [
    ownerChange("org.example.A", "", ":1.7"),
    call(5, ":1.3", "org.example.A"),
    reply(5, ":1.7", ":1.3"),
    signal(":1.7"),
    call(6, ":1.3", ":1.7"),
    signal(":1.3"),
    call(7, ":1.4", "org.example.B"),
  ];

  test("a well-known name has what its owner sends and gets, and what becomes of it", () => {
    expect(shown({ names: ["org.example.A"] }, history)).toEqual([0, 1, 2, 3, 4]);
  });

  test("a unique name has what goes to it by a well-known name", () => {
    expect(shown({ names: [":1.7"] }, history)).toEqual([1, 2, 3, 4]);
    expect(shown({ destinations: [":1.7"], types: [MethodCall] }, history)).toEqual([1, 4]);
  });

  test("a name that nobody owns is seen when it is called", () => {
    expect(shown({ names: ["org.example.B"] }, history)).toEqual([6]);
  });

  test("a new owner is followed, and a reply of the old one still belongs to its call", () => {
    expect(
      shown({ senders: ["org.example.A"], destinations: [] }, [
        ownerChange("org.example.A", "", ":1.7"),
        signal(":1.7"),
        ownerChange("org.example.A", ":1.7", ":1.8"),
        signal(":1.7"),
        signal(":1.8"),
      ]),
    ).toEqual([1, 4]);
    expect(
      shown({ names: ["org.example.A"] }, [
        ownerChange("org.example.A", "", ":1.7"),
        call(5, ":1.3", "org.example.A"),
        ownerChange("org.example.A", ":1.7", ":1.8"),
        reply(5, ":1.7", ":1.3"),
        signal(":1.7"),
      ]),
    ).toEqual([0, 1, 2, 3]);
  });
});

describe("replies", () => {
  const history = [
    call(5, ":1.3", ":1.7"),
    call(5, ":1.4", ":1.7"),
    reply(5, ":1.7", ":1.4"),
    refusal(5, ":1.7", ":1.3"),
    signal(":1.7"),
  ];

  test("are shown with the calls that they answer", () => {
    expect(shown({ paths: ["/org/example"] }, history)).toEqual([0, 1, 2, 3, 4]);
    expect(shown({ interfaces: ["org.example.Player"], types: [ErrorReply] }, history)).toEqual([
      3,
    ]);
    expect(shown({ senders: [":1.3"] }, history)).toEqual([0, 3]);
    expect(shown({ members: ["Other"] }, history)).toEqual([]);
  });

  test("are not those of somebody who was not called", () => {
    const forged = [history[0], reply(5, ":1.9", ":1.3"), reply(5, ":1.7", ":1.3")];
    expect(shown({ members: ["Play"] }, forged as WatchedMessage[])).toEqual([0, 2]);
  });

  test("errors of a name are shown alone", () => {
    expect(shown({ errors: ["org.example.No"] }, history)).toEqual([3]);
    expect(shown({ errors: ["org.example.Yes"] }, history)).toEqual([]);
  });

  test("a rule's type is about what is shown, its other keys also about the call", () => {
    const types = ["method_call", "method_return", "error", "signal"];
    const each = types.map((type) =>
      shown({ rules: [rule(`type='${type}',member='Play'`)] }, history),
    );
    expect(each).toEqual([[0, 1], [2], [3], [4]]);
    expect(shown({ rules: [rule("path='/org/example',sender=':1.4'")] }, history)).toEqual([1, 2]);
  });
});

test("kinds have to hold together, and of each kind one", () => {
  const history = ["/a", "/a/b", "/ab"].flatMap((path) =>
    ["i.A", "i.B"].map((name) =>
      watched({ type: Signal, path, interface: name, member: "M", sender: ":1.1" }),
    ),
  );
  expect(shown({ pathNamespaces: ["/a"] }, history)).toEqual([0, 1, 2, 3]);
  expect(shown({ pathNamespaces: ["/a/b"], paths: ["/ab"] }, history)).toEqual([2, 3, 4, 5]);
  expect(shown({ pathNamespaces: ["/a"], interfaces: ["i.B"] }, history)).toEqual([1, 3]);
  expect(shown({ interfaces: ["i.B", "i.A"], paths: ["/"] }, history)).toEqual([]);
});

/** The plain way: for each message, all of the history before it. */
function naivelyShown(options: FilterOptions, history: readonly WatchedMessage[]): number[] {
  return history.flatMap((each, index) => {
    const { message } = each;
    const { types, errors } = options;
    const callIndex = naiveCallOf(history, index);
    const chosen = [index, ...(callIndex === null ? [] : [callIndex])].some((place) =>
      isNaivelyChosen(options, history, place, message.type),
    );
    const isOfType = types.length === 0 || types.some((type) => type === message.type);
    const isOfError = errors.length === 0 || errors.some((name) => name === message.errorName);
    return chosen && isOfType && isOfError ? [index] : [];
  });
}

function naiveOwner(
  history: readonly WatchedMessage[],
  index: number,
  name: string,
): string | null {
  let owner: string | null = null;
  for (const { message } of history.slice(0, index + 1)) {
    if (message.member === "NameOwnerChanged" && message.body[0] === name) {
      owner = String(message.body[2]) || null;
    }
  }
  return owner;
}

function naiveNames(
  history: readonly WatchedMessage[],
  index: number,
  end: string | null,
): string[] {
  if (end === null) return [];
  const owner = naiveOwner(history, index, end) ?? end;
  const owned = ["a.b", "a.b.c", "d.e"].filter(
    (name) => naiveOwner(history, index, name) === owner,
  );
  return [end, owner, ...owned];
}

/** The latest call with that serial that nobody has answered before. */
function naiveCallOf(history: readonly WatchedMessage[], index: number): number | null {
  const isAnswerTo = (replyIndex: number, callIndex: number): boolean => {
    const answer = history[replyIndex]?.message;
    const asked = history[callIndex]?.message;
    if (answer?.type !== MethodReturn && answer?.type !== ErrorReply) return false;
    if (asked?.type !== MethodCall || replyIndex < callIndex) return false;
    if (answer.replySerial !== asked.serial || answer.destination !== asked.sender) return false;
    const callee =
      asked.destination === null ||
      asked.destination.includes(":") ||
      asked.destination === DRIVER_NAME
        ? asked.destination
        : naiveOwner(history, callIndex, asked.destination);
    return callee === null || answer.sender === callee || answer.sender === DRIVER_NAME;
  };
  const calls = history.flatMap((_each, at) => (isAnswerTo(index, at) ? [at] : []));
  const [at] = calls;
  if (at === undefined) return null;
  const before = history.slice(0, index).some((_each, earlier) => isAnswerTo(earlier, at));
  return before ? null : at;
}

function isNaivelyChosen(
  options: FilterOptions,
  history: readonly WatchedMessage[],
  index: number,
  shownType: number,
): boolean {
  const message = history[index]?.message;
  if (message === undefined) return false;
  const { names, senders, destinations, paths, pathNamespaces, interfaces, members } = options;
  const from = naiveNames(history, index, message.sender);
  const to = naiveNames(history, index, message.destination);
  const isAbout = message.member === "NameOwnerChanged" && names.includes(String(message.body[0]));
  const meets = (wanted: readonly string[], have: readonly (string | null)[]): boolean =>
    wanted.length === 0 || wanted.some((each) => have.includes(each));
  const { path } = message;
  return (
    (isAbout || meets(names, [...from, ...to])) &&
    meets(senders, from) &&
    meets(destinations, to) &&
    meets(interfaces, [message.interface]) &&
    meets(members, [message.member]) &&
    ((paths.length === 0 && pathNamespaces.length === 0) ||
      (path !== null &&
        (paths.includes(path) ||
          pathNamespaces.some((each) => each === "/" || `${path}/`.startsWith(`${each}/`))))) &&
    (options.rules.length === 0 ||
      options.rules.some(
        (each) =>
          (each.type === 0 || each.type === shownType) &&
          matches(matchRule({ ...each, type: 0, eavesdrop: true }), describedAt(history, index)),
      ))
  );
}

function describedAt(history: readonly WatchedMessage[], index: number) {
  const message = history[index]?.message;
  if (message === undefined) throw new Error("no message there");
  const codes = message.signature.split("");
  return {
    ...{ type: message.type, sender: message.sender ?? "", destination: message.destination },
    ...{ path: message.path, interface: message.interface, member: message.member },
    senderNames: naiveNames(history, index, message.sender),
    destinationNames: naiveNames(history, index, message.destination),
    args: codes.map((_code, at) => ({ kind: "string" as const, value: String(message.body[at]) })),
  };
}

test("verdicts are those of the naive evaluation of the history", () => {
  let shownCount = 0;
  let hiddenCount = 0;
  fc.assert(
    fc.property(filters, histories, (options, history) => {
      const verdict = shown(options, history);
      expect(verdict).toEqual(naivelyShown(options, history));
      shownCount += verdict.length;
      hiddenCount += history.length - verdict.length;
    }),
    { numRuns: 2000 },
  );
  // Neither everything nor nothing.
  expect(Math.min(shownCount, hiddenCount)).toBeGreaterThan(1000);
});

test("what is asked of the bus keeps nothing away that is shown, or needed to know it", () => {
  let keptAway = 0;
  fc.assert(
    fc.property(filters, histories, (options, history) => {
      const texts = busRules(options);
      const asked = texts.map((text) => matchRule({ ...rule(text), eavesdrop: true }));
      const isSent = (index: number): boolean =>
        asked.length === 0 || asked.some((each) => matches(each, describedAt(history, index)));
      const sent = history.filter((_each, index) => isSent(index));
      keptAway += history.length - sent.length;
      const whole = shown(options, history).map((index) => history[index]?.message.serial);
      const filtered = shown(options, sent).map((index) => sent[index]?.message.serial);
      expect(filtered).toEqual(whole);
    }),
    { numRuns: 1000 },
  );
  expect(keptAway).toBeGreaterThan(1000);
});

test("the bus is asked for as little as is safe", () => {
  const changes =
    "type='signal',interface='org.freedesktop.DBus',member='NameOwnerChanged',sender='org.freedesktop.DBus'";
  const asked = (options: Partial<FilterOptions>) => busRules({ ...NO_FILTER, ...options });
  expect(asked({})).toEqual([]);
  expect(asked({ names: ["org.example.A"] })).toEqual([]);
  expect(asked({ types: [Signal], pathNamespaces: ["/a"], interfaces: ["i.A", "i.B"] })).toEqual([
    changes,
    "type='signal',interface='i.A',path_namespace='/a'",
    "type='signal',interface='i.B',path_namespace='/a'",
  ]);
  expect(asked({ members: ["Play"] })).toEqual([
    changes,
    "type='method_call',member='Play'",
    "type='signal',member='Play'",
    "type='method_return'",
    "type='error'",
  ]);
  expect(asked({ errors: ["org.example.No"] })).toEqual([
    changes,
    "type='method_call'",
    "type='method_return'",
    "type='error'",
  ]);
  const members = Array.from({ length: 100 }, (_each, index) => `M${index}`);
  expect(asked({ types: [Signal], members })).toEqual([changes, "type='signal'"]);
  expect(asked({ types: [Signal], paths: [`/${"x".repeat(1024)}`] })).toEqual([
    changes,
    "type='signal'",
  ]);
});
