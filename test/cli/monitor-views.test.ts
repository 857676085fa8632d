/** How one message looks. */

import { describe, expect, test } from "@jest/globals";
import { BRIEF, FULL } from "../../cli/monitor/argument-text.ts";
import { compactText } from "../../cli/monitor/compact-view.ts";
import { NO_FILTER } from "../../cli/monitor/filter.ts";
import { jsonText } from "../../cli/monitor/json-view.ts";
import { type Observation, Observer } from "../../cli/monitor/observer.ts";
import { summaryText } from "../../cli/monitor/summary.ts";
import { verboseText } from "../../cli/monitor/verbose-view.ts";
import type { WatchedMessage } from "../../cli/monitor/watched-message.ts";
import { MessageFlag, MessageType } from "../../wire/protocol.ts";
import { Variant } from "../../wire/variant.ts";
import { ownerChange, watched } from "./monitor-history.ts";

const plain = (text: string): string => text;
const COMPACT = { limits: BRIEF, width: null, paint: plain };
const place = { path: "/org/example", interface: "org.example.Player", member: "Play" };
const call = {
  ...place,
  type: MessageType.MethodCall,
  sender: ":1.3",
  destination: "org.example.A",
};
const EVIL = 'a\u001b[31m\n"\\\u009b31m\u202e é';

/** What is shown of all of them, and the observer that knows what they told. */
function observe(...messages: WatchedMessage[]): [Observation[], Observer] {
  const observer = new Observer(NO_FILTER);
  return [messages.flatMap((each) => observer.see(each) ?? []), observer];
}

/** Compact lines without the time of day, which depends on where the test runs. */
function lines(...messages: WatchedMessage[]): string[] {
  const [observations, { names }] = observe(...messages);
  return observations.map((each) =>
    compactText(each, names, COMPACT).slice("00:00:00.000 ".length),
  );
}

const signalOf = (signature: string, ...body: unknown[]): WatchedMessage =>
  watched({ ...place, type: MessageType.Signal, sender: ":1.3", signature }, body);

describe("compact", () => {
  test("calls, replies, errors and signals, with the names that are known", () => {
    const error = { replySerial: 6, errorName: "org.example.No", signature: "s" };
    expect(
      lines(
        ownerChange("org.example.A", "", ":1.7"),
        watched({ ...call, serial: 5, signature: "si" }, ["x", 5], 1),
        watched({ type: 2, sender: ":1.7", destination: ":1.3", replySerial: 5 }, [], 3),
        watched({ ...call, serial: 6 }, [], 4),
        watched({ ...error, type: 3, sender: ":1.7", destination: ":1.3" }, ["not now"], 1504),
        watched({ ...place, type: 4, sender: ":1.7", signature: "b" }, [true]),
        watched({ type: 2, sender: ":1.7", destination: ":1.3", replySerial: 99 }),
        watched({ ...call, flags: MessageFlag.NoReplyExpected, interface: null, unixFds: 1 }),
      ).slice(1),
    ).toEqual([
      '→ :1.3 > org.example.A /org/example org.example.Player.Play si "x" 5\n',
      "← org.example.A(:1.7) > :1.3 Play 2.00 ms\n",
      "→ :1.3 > org.example.A /org/example org.example.Player.Play\n",
      '✗ org.example.A(:1.7) > :1.3 Play 1.50 s org.example.No "not now"\n',
      "● org.example.A(:1.7) /org/example org.example.Player.Play b true\n",
      "← org.example.A(:1.7) > :1.3 (reply to #99)\n",
      "→ :1.3 > org.example.A /org/example Play (no reply expected) (1 descriptor)\n",
    ]);
  });

  test("values are busctl's words", () => {
    const [text] = lines(
      signalOf(
        "ay(sv)a{sv}xd",
        new Uint8Array([1, 2]),
        ["a", new Variant("as", ["b", "c"])],
        new Map([["k", new Variant("u", 7)]]),
        -(2n ** 63n),
        0.5,
      ),
    );
    expect(text).toContain(
      'Play ay(sv)a{sv}xd 2 1 2 "a" as 2 "b" "c" 1 "k" u 7 -9223372036854775808 0.5\n',
    );
  });

  test("nobody writes to the terminal by way of a message", () => {
    const [text = ""] = lines(signalOf("s", EVIL));
    expect(text).toContain('"a\\u{1b}[31m\\n\\"\\\\\\u{9b}31m\\u{202e} é"');
    const error = { type: 3, sender: ":1.7", destination: ":1.3", errorName: "a.B" };
    const [refusal] = lines(watched({ ...error, replySerial: 1, signature: "s" }, [EVIL]));
    for (const line of [text, refusal ?? ""]) {
      // biome-ignore lint/suspicious/noControlCharactersInRegex: that there are none
      expect(line.slice(0, -1)).not.toMatch(/[\u0000-\u001f\u007f-\u009f\u202e]/);
    }
  });

  test("long values are cut, and it is told by how much", () => {
    const [long = "", many = "", deep = ""] = lines(
      signalOf("s", "x".repeat(1000)),
      signalOf(
        "au",
        Array.from({ length: 1000 }, (_each, index) => index),
      ),
      signalOf("aas", Array(100).fill(Array(100).fill("y".repeat(30)))),
    );
    expect(long).toContain(`s "${"x".repeat(80)}"…(+920)`);
    expect(many).toContain("au 1000 0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 …(+984)");
    expect(deep).toMatch(/ …\n$/);
    expect(deep.length).toBeLessThan(600);
    const [[observation], { names }] = observe(signalOf("s", "x".repeat(1000)));
    if (observation === undefined) throw new Error("nothing is shown");
    const full = compactText(observation, names, { ...COMPACT, limits: FULL });
    expect(full).toContain("x".repeat(1000));
  });

  test("on a terminal lines are continued where they fit", () => {
    const [[observation], { names }] = observe(
      watched({ ...call, signature: "s" }, ["x".repeat(40)]),
    );
    if (observation === undefined) throw new Error("nothing is shown");
    const text = compactText(observation, names, { ...COMPACT, width: 60 });
    const parts = text.trimEnd().split("\n");
    expect(parts.map((part) => part.slice(15))).toEqual([
      ":1.3 > org.example.A /org/example",
      "org.example.Player.Play",
      `s "${"x".repeat(40)}"`,
    ]);
    for (const part of parts) expect(part.length).toBeLessThanOrEqual(60);
  });
});

describe("JSON", () => {
  const json = (message: WatchedMessage, mode: "short" | "pretty" = "short"): string => {
    const [[observation], { names }] = observe(message);
    if (observation === undefined) throw new Error("nothing is shown");
    return jsonText(observation, names, mode);
  };

  test("has the keys in busctl's order, and integers of 64 bits in full", () => {
    expect(json(signalOf("t", 2n ** 64n - 1n))).toBe(
      '{"type":"signal","endian":"l","flags":0,"version":1,"cookie":1,"timestamp-realtime":0,' +
        '"sender":":1.3","path":"/org/example","interface":"org.example.Player","member":"Play",' +
        '"payload":{"type":"t","data":[18446744073709551615]}}\n',
    );
  });

  test("keys of dictionaries are strings, whatever they were; numbers that are none are null", () => {
    const dictionary = new Map([
      [1, Number.NaN],
      [-2, 0.5],
    ]);
    expect(JSON.parse(json(signalOf("a{nd}", dictionary))).payload.data).toEqual([
      { 1: null, "-2": 0.5 },
    ]);
  });

  test("is ASCII where a terminal would obey, and still the same string", () => {
    const text = json(signalOf("s", EVIL));
    // biome-ignore lint/suspicious/noControlCharactersInRegex: that there are none
    expect(text.slice(0, -1)).not.toMatch(/[\u0000-\u001f\u007f-\u009f\u202e]/);
    expect(JSON.parse(text).payload.data).toEqual([EVIL]);
  });

  test("pretty is the same on more lines", () => {
    const message = signalOf("a(is)", [[1, "a"]]);
    expect(JSON.parse(json(message, "pretty"))).toEqual(JSON.parse(json(message)));
  });
});

test("verbose has busctl's layout", () => {
  const [observations, { names }] = observe(
    watched({ ...call, serial: 5, signature: "a{sv}" }, [new Map([["k", new Variant("y", 7)]])], 1),
    watched(
      {
        type: 3,
        sender: ":1.7",
        destination: ":1.3",
        replySerial: 5,
        errorName: "a.B",
        signature: "s",
      },
      ["no"],
      2,
    ),
  );
  expect(observations.map((each) => verboseText(each, names, BRIEF, plain)).join("")).toBe(`\
‣ Type=method_call  Endian=l  Flags=0  Version=1  Cookie=5  Timestamp=1970-01-01T00:00:00.001000Z
  Sender=:1.3  Destination=org.example.A  Path=/org/example  Interface=org.example.Player  Member=Play
  MESSAGE "a{sv}" {
          ARRAY "{sv}" {
                  DICT_ENTRY "sv" {
                          STRING "k";
                          VARIANT "y" {
                                  BYTE 7;
                          };
                  };
          };
  };

‣ Type=error  Endian=l  Flags=0  Version=1  Cookie=1  ReplyCookie=5  Timestamp=1970-01-01T00:00:00.002000Z
  Sender=:1.7  Destination=:1.3
  AnswerTo=org.example.Player.Play  Latency=1.00 ms
  ErrorName=a.B  ErrorMessage="no"
  MESSAGE "s" {
          STRING "no";
  };

`);
});

describe("in the end", () => {
  test("calls without a reply are told, those whose callers are gone too", () => {
    const [, observer] = observe(
      watched({ ...call, serial: 1 }, [], 1),
      watched({ ...call, serial: 2, flags: MessageFlag.NoReplyExpected }, [], 2),
      watched({ ...call, serial: 3, sender: ":1.4" }, [], 3),
      watched({ ...call, serial: 4 }, [], 4),
      watched({ type: 2, sender: ":1.9", destination: ":1.3", replySerial: 4 }, [], 5),
      ownerChange(":1.3", ":1.3", ""),
    );
    const text = summaryText(observer, 0, plain).split("\n");
    expect(text.slice(0, 2)).toEqual([
      "onehop: 6 messages seen, 6 shown",
      "        2 calls without a reply:",
    ]);
    expect(text.slice(3, 5).map((line) => line.slice("00:00:00.000  ".length))).toEqual([
      ":1.3    org.example.A  /org/example  org.example.Player.Play",
      ":1.4    org.example.A  /org/example  org.example.Player.Play",
    ]);
  });
});
