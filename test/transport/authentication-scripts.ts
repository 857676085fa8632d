/** What clients may say in a handshake, sensible and not: played at our machine and at dbus-daemon. */

import { Buffer } from "node:buffer";

export interface Script {
  readonly name: string;
  /** Everything the client sends, the first NUL byte included. */
  readonly input: Buffer;
}

/** The scripts of a client whose user is `userId`. */
export function authenticationScripts(userId: number): Script[] {
  const hex = (text: string): string => Buffer.from(text, "latin1").toString("hex");
  const own = hex(`${userId}`);
  const other = hex(`${userId + 12345}`);
  const identities: [string, string][] = [
    ["own user id", `${userId}`],
    ["another user id", `${userId + 12345}`],
    ["own user id in hexadecimal", `0x${userId.toString(16)}`],
    ["own user id in octal", `0${userId.toString(8)}`],
    ["own user id with a leading zero", `0${userId}`],
    ["own user id after blanks", ` \t${userId}`],
    ["own user id before a blank", `${userId} `],
    ["own user id after a vertical tab", `\v${userId}`],
    ["own user id with a plus", `+${userId}`],
    ["own user id with a minus", `-${userId}`],
    ["own user id modulo 2^64", `-${2n ** 64n - BigInt(userId)}`],
    ["own user id and NUL", `${userId}\0`],
    ["own user id and a point", `${userId}.0`],
    ["2^32", "4294967296"],
    ["2^32 - 1", "4294967295"],
    ["2^64 - 1", "18446744073709551615"],
    ["2^64", "18446744073709551616"],
    ["minus one", "-1"],
    ["a user's name", "root"],
    ["no digits after 0x", "0x"],
    ["a digit that is not octal", "08"],
    ["bytes that are not text", "\xff\xfe"],
  ];
  const scripts: [string, string][] = [
    ...identities.map(([name, text]): [string, string] => [
      `identity: ${name}`,
      `\0AUTH EXTERNAL ${hex(text)}\r\n`,
    ]),
    ["no NUL", "AUTH\r\n"],
    ["NUL only", "\0"],
    ["two NULs", "\0\0AUTH\r\n"],
    ["asks for mechanisms", "\0AUTH\r\n"],
    ["asks for mechanisms with a blank", "\0AUTH \r\n"],
    ["unknown mechanism", "\0AUTH FOO\r\nAUTH FOO zz\r\nAUTH ANONYMOUS\r\nAUTH external\r\n"],
    ["mechanism that is not allowed", `\0AUTH DBUS_COOKIE_SHA1 ${own}\r\n`],
    ["tabs for blanks", `\0AUTH\tEXTERNAL \t ${own}\r\nBEGIN\t\r\n`],
    ["blank at the end", `\0AUTH EXTERNAL ${own} \r\n`],
    ["blank at the front", `\0 AUTH EXTERNAL ${own}\r\n`],
    ["lower case", `\0auth EXTERNAL ${own}\r\n`],
    [
      "upper-case hexadecimal",
      `\0AUTH EXTERNAL ${hex(`0x${userId.toString(16)}`).toUpperCase()}\r\n`,
    ],
    ["odd number of digits", `\0AUTH EXTERNAL ${own.slice(0, -1)}\r\n`],
    ["not hexadecimal", `\0AUTH EXTERNAL QQ\r\nAUTH EXTERNAL ${own}\r\nBEGIN\r\n`],
    ["not hexadecimal, then negotiates", "\0AUTH EXTERNAL QQ\r\nNEGOTIATE_UNIX_FD\r\n"],
    ["challenge", "\0AUTH EXTERNAL\r\nDATA\r\nBEGIN\r\n"],
    ["challenge with identity", `\0AUTH EXTERNAL \r\nDATA ${own}\r\nBEGIN\r\n`],
    ["challenge with a wrong identity", `\0AUTH EXTERNAL\r\nDATA ${other}\r\nDATA\r\n`],
    ["challenge with bad hexadecimal", "\0AUTH EXTERNAL\r\nDATA xyz\r\nDATA \r\nBEGIN\r\n"],
    ["AUTH in a challenge", "\0AUTH EXTERNAL\r\nAUTH EXTERNAL\r\nAUTH\r\nDATA\r\n"],
    ["BEGIN in a challenge", "\0AUTH EXTERNAL\r\nBEGIN\r\n"],
    [
      "others in a challenge",
      "\0AUTH EXTERNAL\r\nNEGOTIATE_UNIX_FD\r\nFOO\r\nOK\r\nREJECTED\r\n\r\n",
    ],
    ["CANCEL in a challenge", "\0AUTH EXTERNAL\r\nCANCEL\r\nAUTH EXTERNAL\r\nERROR no\r\nDATA\r\n"],
    [
      "anything before AUTH",
      "\0CANCEL\r\nDATA\r\nDATA 30\r\nERROR\r\nNEGOTIATE_UNIX_FD\r\nREJECTED\r\nOK\r\nAGREE_UNIX_FD\r\nFOO\r\n\r\n",
    ],
    ["BEGIN first", "\0BEGIN\r\n"],
    ["BEGIN after a rejection", "\0AUTH\r\nBEGIN\r\n"],
    [
      "anything after OK",
      `\0AUTH EXTERNAL ${own}\r\nAUTH\r\nAUTH EXTERNAL ${own}\r\nDATA\r\nFOO\r\nOK\r\nREJECTED\r\nAGREE_UNIX_FD\r\n\r\n`,
    ],
    ["negotiates", `\0AUTH EXTERNAL ${own}\r\nNEGOTIATE_UNIX_FD\r\nBEGIN\r\n`],
    ["negotiates twice", `\0AUTH EXTERNAL ${own}\r\nNEGOTIATE_UNIX_FD\r\nNEGOTIATE_UNIX_FD x\r\n`],
    ["negotiates too early", `\0NEGOTIATE_UNIX_FD\r\nAUTH EXTERNAL ${own}\r\nBEGIN\r\n`],
    ["CANCEL after OK", `\0AUTH EXTERNAL ${own}\r\nCANCEL\r\nBEGIN\r\n`],
    ["ERROR after OK", `\0AUTH EXTERNAL ${own}\r\nERROR\r\nAUTH EXTERNAL\r\nDATA\r\nBEGIN a b\r\n`],
    ["not ASCII", `\0\xc3\xa9\r\nAUTH EXTERNAL ${own}\0\r\nAUTH EXTERNAL ${own}\r\n`],
    ["line feed only", `\0AUTH EXTERNAL ${own}\nAUTH\r\n`],
    ["carriage return only", `\0AUTH EXTERNAL ${own}\rAUTH\r\n`],
    ["two carriage returns", `\0AUTH EXTERNAL ${own}\r\r\n`],
    ["vertical tab", "\0AUTH\vEXTERNAL\r\n"],
    [
      "five rejections",
      `\0${`AUTH EXTERNAL ${other}\r\n`.repeat(5)}AUTH EXTERNAL ${own}\r\nBEGIN\r\n`,
    ],
    ["six rejections", `\0${`AUTH EXTERNAL ${other}\r\n`.repeat(8)}`],
    ["six questions for mechanisms", `\0${"AUTH\r\n".repeat(8)}`],
    ["six changes of mind", `\0${`AUTH EXTERNAL ${own}\r\nCANCEL\r\n`.repeat(8)}`],
    ["many errors", `\0${"FOO\r\n".repeat(100)}AUTH EXTERNAL ${own}\r\n`],
    ["a long line", `\0${"A".repeat(16000)}\r\nAUTH\r\n`],
    ["a line that is too long", `\0${"A".repeat(20000)}\r\nAUTH\r\n`],
    ["a long identity", `\0AUTH EXTERNAL ${"30".repeat(4000)}\r\nAUTH\r\n`],
  ];
  return scripts.map(([name, text]) => ({ name, input: Buffer.from(text, "latin1") }));
}

/** Scripts for servers that accept every mechanism; nothing in them depends on a challenge. */
export function mechanismScripts(userId: number): Script[] {
  const hex = (text: string): string => Buffer.from(text, "latin1").toString("hex");
  const own = hex(`${userId}`);
  const cookie = `AUTH DBUS_COOKIE_SHA1 ${own}\r\n`;
  const identities = [
    ...[`${userId}`, `${userId + 12345}`, `0x${userId.toString(16)}`, `0${userId.toString(8)}`],
    ...[` ${userId}`, `${userId} `, `-${userId}`, `${userId}\0`, "-1", "4294967295", "\xff", ""],
    ...["no-such-user", "18446744073709551616"],
  ];
  const traces = ["", "onehop", "\xc3\xa9", "\xe9", "\0", "a\0b", "a\n", "\xed\xa0\x80"];
  const scripts: [string, string][] = [
    ...identities.map((text): [string, string] => [
      `cookie of ${JSON.stringify(text)}`,
      `\0AUTH DBUS_COOKIE_SHA1 ${hex(text)}\r\n`,
    ]),
    ...traces.map((text): [string, string] => [
      `anonymous ${JSON.stringify(text)}`,
      `\0AUTH ANONYMOUS ${hex(text)}\r\nNEGOTIATE_UNIX_FD\r\n`,
    ]),
    ["mechanisms", "\0AUTH\r\nAUTH cookie\r\nAUTH DBUS_COOKIE_SHA1\r\nAUTH DBUS_COOKIE_SHA1 \r\n"],
    ["cookie, odd number of digits", `\0AUTH DBUS_COOKIE_SHA1 ${own.slice(0, -1)}\r\n`],
    ["not hexadecimal", "\0AUTH DBUS_COOKIE_SHA1 zz\r\nAUTH ANONYMOUS zz\r\nNEGOTIATE_UNIX_FD\r\n"],
    ["DATA after no challenge", `\0AUTH DBUS_COOKIE_SHA1\r\nDATA ${own}\r\n`],
    ...["", "00", "zz", hex("mine"), hex("mine "), hex(" x"), hex("mine x"), hex("a b c")].map(
      (answer): [string, string] => [
        `answer ${JSON.stringify(answer)}`,
        `\0${cookie}DATA ${answer}\r\n`,
      ],
    ),
    ["AUTH after a challenge", `\0${cookie}${cookie}AUTH\r\nDATA\r\n`],
    ["BEGIN after a challenge", `\0${cookie}BEGIN\r\n`],
    ["others after a challenge", `\0${cookie}NEGOTIATE_UNIX_FD\r\nFOO\r\nOK\r\n\r\n`],
    ["CANCEL after a challenge", `\0${cookie}CANCEL\r\n${cookie}ERROR\r\nDATA\r\n`],
    ["six cancelled challenges", `\0${`${cookie}CANCEL\r\n`.repeat(8)}`],
    [
      "one mechanism after the other",
      `\0${cookie}CANCEL\r\nAUTH EXTERNAL\r\nCANCEL\r\nAUTH ANONYMOUS\r\nCANCEL\r\nAUTH EXTERNAL ${own}\r\nBEGIN\r\n`,
    ],
    ["anonymous, then nothing else", "\0AUTH ANONYMOUS\r\nDATA\r\nAUTH\r\nFOO\r\n"],
    ["anonymous, not allowed", "\0AUTH ANONYMOUS\r\nERROR\r\nBEGIN\r\n"],
  ];
  return scripts.map(([name, text]) => ({ name, input: Buffer.from(text, "latin1") }));
}
