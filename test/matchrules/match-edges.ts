/** Edge cases of match rules with dbus-daemon 1.14.10's answers to them. */

import type { DescribedArgument, DescribedMessage } from "../../matchrules/match.ts";
import { MessageType } from "../../wire/protocol.ts";

/** A rule's text, and the canonical text of what dbus-daemon makes of it, or its error's words. */
export type ParseCase = readonly [text: string, verdict: { rule: string } | { error: string }];

const accepted = (text: string, rule: string = text): ParseCase => [text, { rule }];
const refused = (text: string, error: string): ParseCase => [text, { error }];
const sixteen = (from: number): string =>
  Array.from({ length: 16 }, (_, i) => `arg${from + i}='x'`).join(",");

const NO_EQUALS = "Match rule has a key with no subsequent '=' character";
const UNBALANCED = "Unbalanced quotation marks in match rule";
const unknown = (key: string): string => `Unknown key "${key}" in match rule`;
const junk = (key: string, index: number | string): string =>
  `Key '${key}' in match rule contains junk after argument number (${index}). Only 'arg${index}path' (for example) or 'arg0namespace' are valid`;
const unreadable = (key: string): string =>
  `Key '${key}' in match rule starts with 'arg' but could not parse arg number. Should be 'arg0' or 'arg7' for example.\n`;
const tooHigh = (key: string, index: number | string): string =>
  `Key '${key}' in match rule has arg number ${index} but the maximum is 63.\n`;
const namespace = (value: string): string =>
  `arg0namespace='${value}' is not a valid prefix of a bus name`;
const type = (value: string): string => `Invalid message type (${value}) in match rule\n`;
const twice = (key: string): string => `Key ${key} specified twice in match rule\n`;
const again = (key: string): string => `Argument ${key} matched more than once in match rule\n`;
const invalid = (what: string, value: string): string => `${what} '${value}' is invalid\n`;
const eavesdrop = (value: string): string =>
  `eavesdrop='${value}' is invalid, it should be 'true' or 'false'\n`;
const pathTwice = "path or path_namespace specified twice in match rule\n";

export const parseCases: Readonly<Record<string, readonly ParseCase[]>> = {
  "white space and commas": [
    accepted(""),
    accepted("  ", ""),
    accepted("type='signal',", "type='signal'"),
    accepted("type='signal', ", "type='signal'"),
    accepted("type\t='signal',\t\n\r member='A'", "type='signal',member='A'"),
    refused(",", NO_EQUALS),
    refused("type='signal',,member='X'", unknown(",member")),
    refused(" type = 'signal'", type(" signal")),
    refused("member='A' ", invalid("Member name", "A ")),
    refused("\vtype='signal'", unknown("\vtype")),
    refused("\ftype='signal'", unknown("\ftype")),
    refused("key with space='x'", NO_EQUALS),
  ],
  "an empty key ends the rule": [
    accepted("=", ""),
    accepted(" =", ""),
    accepted("=type='signal'", ""),
    accepted("type='signal',=member='A',nonsense", "type='signal'"),
  ],
  "keys after the sixteenth are not read": [
    accepted(sixteen(0)),
    accepted(`${sixteen(0)},arg16='x'`, sixteen(0)),
    accepted(`${sixteen(0)},junk,member='`, sixteen(0)),
  ],
  quoting: [
    accepted("type=signal", "type='signal'"),
    accepted("arg0='a,b'"),
    accepted("arg0='a\\b'"),
    accepted("arg0=','"),
    accepted("arg0=' a'"),
    accepted("arg0=\\ a", "arg0='\\ a'"),
    accepted("arg0=It\\'s", "arg0='It'\\''s'"),
    accepted("arg0='It'\\''s'"),
    accepted("arg0='a''b'", "arg0='ab'"),
    accepted("member=A'B'C", "member='ABC'"),
    accepted("arg0=a\\,b", "arg0='a\\,b'"),
    accepted("arg0=a\\\\'b'", "arg0='a\\\\b'"),
    accepted("arg0=a\\", "arg0='a\\'"),
    accepted("arg0=x\\ny", "arg0='x\\ny'"),
    accepted("arg0=\\\\,member=A", "member='A',arg0='\\\\'"),
    refused("member='It\\'s'", UNBALANCED),
    refused("arg0='unterminated", UNBALANCED),
    refused("type=bad,arg0='", UNBALANCED),
    refused("type='signal'member='A'", type("signalmember=A")),
    refused("'type'='signal'", unknown("'type'")),
    refused("type='signal','", NO_EQUALS),
  ],
  "keys and their order": [
    accepted(
      "arg1=x,arg0=y,path=/a,member=A,interface=a.b,type=signal",
      "type='signal',interface='a.b',member='A',path='/a',arg0='y',arg1='x'",
    ),
    refused("x", NO_EQUALS),
    refused("interface='org.x.Y',member='M',foo", NO_EQUALS),
    refused("arg0='x',type=bad,junk", NO_EQUALS),
    refused("unknown='x'", unknown("unknown")),
    refused("Type='signal'", unknown("Type")),
    refused("é='x'", unknown("é")),
    refused("ar=x", unknown("ar")),
    refused("x,member=A", unknown("x,member")),
  ],
  "message types": [
    accepted("type='signal'"),
    accepted("type='method_call'"),
    accepted("type='method_return'"),
    accepted("type='error'"),
    refused("type='bogus'", type("bogus")),
    refused("type='invalid'", type("invalid")),
    refused("type='Signal'", type("Signal")),
    refused("type='constructor'", type("constructor")),
    refused("type=''", type("")),
    refused("type='signal',type='signal'", twice("type")),
  ],
  names: [
    accepted("sender=':1.5'"),
    accepted("sender=':1'"),
    accepted("sender='a.-b'"),
    accepted("sender='org.freedesktop.DBus'"),
    refused("sender=':1.'", invalid("Sender name", ":1.")),
    refused("sender='1.a'", invalid("Sender name", "1.a")),
    refused("sender='a.1'", invalid("Sender name", "a.1")),
    refused("sender='nodots'", invalid("Sender name", "nodots")),
    refused("sender=''", invalid("Sender name", "")),
    refused("sender='a.b',sender='a.b'", twice("sender")),
    accepted("destination='org.x.Y'"),
    refused("destination='nodots'", invalid("Destination name", "nodots")),
    refused("destination='a.b',destination='a.b'", twice("destination")),
    accepted("interface='org.freedesktop.Local'"),
    refused("interface='nodots'", invalid("Interface name", "nodots")),
    refused("interface=':1.1'", invalid("Interface name", ":1.1")),
    refused("interface=''", invalid("Interface name", "")),
    refused("interface='a.b',interface='a.b'", twice("interface")),
    refused("member=", invalid("Member name", "")),
    refused("member='1A'", invalid("Member name", "1A")),
    refused("member='A.B'", invalid("Member name", "A.B")),
    refused("member='é'", invalid("Member name", "é")),
    refused(`member='${"a".repeat(256)}'`, invalid("Member name", "a".repeat(256))),
    refused("member='A',member='A'", twice("member")),
  ],
  paths: [
    accepted("path='/'"),
    accepted("path_namespace='/'"),
    refused("path='a'", invalid("Path", "a")),
    refused("path='//'", invalid("Path", "//")),
    refused("path=''", invalid("Path", "")),
    refused("path_namespace=''", invalid("Path", "")),
    refused("path_namespace='/a/'", invalid("Path", "/a/")),
    refused("path='/a',path='/a'", pathTwice),
    refused("path='/a',path_namespace='/a'", pathTwice),
    refused("path='/a',path_namespace='bad'", pathTwice),
  ],
  "eavesdrop, the only key that may come twice": [
    accepted("eavesdrop='true'"),
    accepted("eavesdrop='false'", ""),
    accepted("eavesdrop='true',eavesdrop='false'", ""),
    accepted("eavesdrop='false',eavesdrop='true'", "eavesdrop='true'"),
    refused("eavesdrop='yes'", eavesdrop("yes")),
    refused("eavesdrop='TRUE'", eavesdrop("TRUE")),
    refused("eavesdrop=''", eavesdrop("")),
  ],
  "argument numbers, read with base 0": [
    accepted("arg0=''"),
    accepted("arg63='x'"),
    accepted("arg00='x'", "arg0='x'"),
    accepted("arg010='x'", "arg8='x'"),
    accepted("arg077='x'", "arg63='x'"),
    accepted("arg0x10='x'", "arg16='x'"),
    accepted("arg0X1F='x'", "arg31='x'"),
    accepted("arg0xapath='x'", "arg10path='x'"),
    accepted("arg+5='x'", "arg5='x'"),
    accepted("arg-0='x'", "arg0='x'"),
    accepted("arg\v5='x'", "arg5='x'"),
    accepted("arg-18446744073709551615='x'", "arg1='x'"),
    refused("arg64='x'", tooHigh("arg64", 64)),
    refused("arg0x40path='x'", tooHigh("arg0x40path", 64)),
    refused("arg-1='x'", tooHigh("arg-1", "18446744073709551615")),
    refused(
      "arg18446744073709551615=x",
      tooHigh("arg18446744073709551615", "18446744073709551615"),
    ),
    refused("arg18446744073709551616='x'", unreadable("arg18446744073709551616")),
    refused("arg-18446744073709551616='x'", unreadable("arg-18446744073709551616")),
    refused("arg--1='x'", unreadable("arg--1")),
    refused("argument='x'", unreadable("argument")),
    refused("argpath='x'", unreadable("argpath")),
    refused(
      "arg='x'",
      "Key 'arg' in match rule starts with 'arg' but lacks an arg number. Should be 'arg0' or 'arg7' for example.\n",
    ),
    refused("arg08='x'", junk("arg08", 0)),
    refused("arg0x='x'", junk("arg0x", 0)),
    refused("arg0b1='x'", junk("arg0b1", 0)),
    refused("arg0pathpath='x'", junk("arg0pathpath", 0)),
    refused("arg64junk='x'", junk("arg64junk", 64)),
  ],
  "kinds of arguments": [
    accepted("arg0path='/aa/'"),
    accepted("arg1path='x'"),
    accepted("arg0namespace='a'"),
    accepted("arg0namespace='a-b'"),
    accepted("arg0namespace=':'"),
    accepted("arg0namespace=':1.5'"),
    refused("arg0namespace=''", namespace("")),
    refused("arg0namespace='a.'", namespace("a.")),
    refused("arg0namespace='1a'", namespace("1a")),
    refused("arg0='x',arg0namespace=''", namespace("")),
    refused(`arg0namespace='${"a".repeat(256)}'`, namespace("a".repeat(256))),
    refused("arg1namespace='a'", junk("arg1namespace", 1)),
    refused("arg00namespace='a'", junk("arg00namespace", 0)),
    refused("arg0namespacex='a'", junk("arg0namespacex", 0)),
    refused("arg0='a',arg0='b'", again("arg0")),
    refused("arg0='a',arg0path='/a'", again("arg0path")),
    refused("arg0namespace='x',arg0=y", again("arg0")),
    refused("arg8='a',arg010path='b'", again("arg010path")),
  ],
  "length in bytes": [
    accepted(`arg0='${"y".repeat(1010)}'`),
    accepted(`arg0='${"é".repeat(508)}'`),
    refused(`arg0='${"y".repeat(1040)}'`, "Match rule text is 1047 bytes, maximum is 1024"),
    refused(`arg0='${"é".repeat(510)}'`, "Match rule text is 1027 bytes, maximum is 1024"),
  ],
};

/** One emission as the table of deliveries has it. */
export interface Emission {
  readonly path?: string;
  readonly destination?: "receiver" | "other";
  readonly argument?: DescribedArgument;
}

/** Rules of the receiver (`%R`, `%T`: its and another peer's name), an emission, and whether a rule made it arrive. */
export type DeliveryCase = readonly [
  rules: readonly string[],
  emission: Emission,
  isMatch: boolean,
];

const string = (value: string): Emission => ({ argument: { kind: "string", value } });
const path = (value: string): Emission => ({ argument: { kind: "path", value } });

/** The sender emits org.x.Y.M from /aa/bb and owns org.own.S. */
export const deliveryCases: readonly DeliveryCase[] = [
  [["type='signal'", "type='signal'"], {}, true],
  [["type='signal'", "member='M'", "interface='org.x.Y'"], {}, true],
  [[""], {}, true],
  [["destination='%R'"], {}, false],
  [["destination='%R'"], { destination: "other" }, false],
  [["type='signal'"], { destination: "other" }, false],
  [["type='signal',eavesdrop='true'"], { destination: "other" }, true],
  [["type='signal',eavesdrop='true'"], {}, true],
  [["eavesdrop='true',destination='%T'"], { destination: "other" }, true],
  [["eavesdrop='true',destination='%R'"], { destination: "other" }, false],
  [["eavesdrop='true',destination='%T'"], {}, false],
  [["eavesdrop='true',destination='org.own.T'"], { destination: "other" }, true],
  [["arg0=''"], string(""), true],
  [["arg0=''"], {}, false],
  [["arg0='/aa'"], path("/aa"), false],
  [["arg0path='/aa'"], path("/aa"), true],
  [["arg0path='/aa/bb/'"], string("/"), true],
  [["arg0path='/aa/bb/'"], string("/aa/"), true],
  [["arg0path='/aa/bb/'"], string("/aa/bb/"), true],
  [["arg0path='/aa/bb/'"], string("/aa/bb/cc/"), true],
  [["arg0path='/aa/bb/'"], string("/aa/bb/cc"), true],
  [["arg0path='/aa/bb/'"], string("/aa/b"), false],
  [["arg0path='/aa/bb/'"], string("/aa"), false],
  [["arg0path='/aa/bb/'"], string("/aa/bb"), false],
  [["arg0path=''"], string("/"), false],
  [["arg0path=''"], string(""), true],
  [["arg0path='/aa/'"], string(""), false],
  [["arg0namespace='com.ex'"], string("com.ex"), true],
  [["arg0namespace='com.ex'"], string("com.ex.foo"), true],
  [["arg0namespace='com.ex'"], string("com.example"), false],
  [["arg0namespace='com.ex'"], string("com.ex."), true],
  [["arg0namespace='com'"], path("/com"), false],
  [["path_namespace='/aa'"], { path: "/aa" }, true],
  [["path_namespace='/aa'"], { path: "/aa/bb" }, true],
  [["path_namespace='/aa'"], { path: "/aab" }, false],
  [["path_namespace='/aa'"], { path: "/" }, false],
  [["path_namespace='/'"], { path: "/aa/bb" }, true],
  [["path_namespace='/'"], { path: "/" }, true],
  [["interface='org.x.Y'"], {}, true],
  [["sender='org.own.S',type='signal'"], {}, true],
  [["sender='org.notowned.S'"], {}, false],
];

const names = { receiver: ":1.1", sender: ":1.2", other: ":1.3" } as const;

/** The rule of a case for a receiver `:1.1` and another peer `:1.3`. */
export function expand(text: string): string {
  return text.replace("%R", names.receiver).replace("%T", names.other);
}

/** The message of a case, sent by `:1.2`. */
export function describeEmission(emission: Emission): DescribedMessage {
  const { argument, destination } = emission;
  return {
    type: MessageType.Signal,
    sender: names.sender,
    senderNames: ["org.own.S"],
    destination: destination === undefined ? null : names[destination],
    destinationNames: destination === "other" ? [names.other, "org.own.T"] : [names.receiver],
    path: emission.path ?? "/aa/bb",
    interface: "org.x.Y",
    member: "M",
    args: argument === undefined ? [] : [argument],
  };
}
