import { expect, test } from "@jest/globals";
import fc from "fast-check";
import {
  type Address,
  AddressError,
  addressOf,
  connectTargetOf,
  escapeValue,
  formatAddress,
  formatAddresses,
  guidOf,
  listenTargetOf,
  parseAddresses,
  withGuid,
} from "../../transport/address.ts";
import { unicodeText } from "../support/unicode-text.ts";

const GUID = "0123456789abcdef0123456789abcdef";

/** The one address in `text`. */
function only(text: string): Address {
  const addresses = parseAddresses(text);
  expect(addresses).toHaveLength(1);
  return addresses[0] as Address; // there is one
}

function errorOf(action: () => unknown): AddressError {
  try {
    action();
  } catch (error) {
    if (error instanceof AddressError) return error;
    throw error;
  }
  throw new Error("nothing was thrown");
}

test.each<[string, [string, Record<string, string>][]]>([
  ["unix:path=/run/user/1000/bus", [["unix", { path: "/run/user/1000/bus" }]]],
  ["unix:path=/tmp/a%20b%c3%a9%7Ex", [["unix", { path: "/tmp/a bé~x" }]]],
  ["unix:abstract=/tmp/dbus-x*\\.", [["unix", { abstract: "/tmp/dbus-x*\\." }]]],
  [
    `tcp:host=::1,port=1;unix:path=/x,guid=${GUID}`.replace("::1", "%3a%3A1"),
    [
      ["tcp", { host: "::1", port: "1" }],
      ["unix", { path: "/x", guid: GUID }],
    ],
  ],
  ["systemd:", [["systemd", {}]]],
  ["unix:path=/a,path=/b", [["unix", { path: "/a" }]]],
  ["unix:path=/a,;", [["unix", { path: "/a" }]]],
  ["unixexec:path=ssh,argv1=-xT", [["unixexec", { path: "ssh", argv1: "-xT" }]]],
])("%s is read", (text, expected) => {
  expect(parseAddresses(text)).toEqual(expected.map(([kind, values]) => addressOf(kind, values)));
});

test.each<[string, string | null, number, string]>([
  ["", null, 0, "empty"],
  ["unix", null, 0, "colon"],
  [";unix:path=/x", null, 0, "colon"],
  ["unix:path=/x;tcp", null, 13, "colon"],
  ["unix:path=/x,foo", null, 13, '"="'],
  ["unix:=x", null, 5, "no key"],
  ["unix:path=", "path", 9, "no value"],
  ["unix:path=,guid=x", "path", 9, "no value"],
  ["unix:path=/a b", "path", 12, "escaped"],
  ["unix:path=/a=b", "path", 12, "escaped"],
  ["unix:path=/é", "path", 11, "escaped"],
  ["unix:path=/a%2", "path", 12, "two hexadecimal digits"],
  ["unix:path=/a%2,guid=b", "path", 12, "two hexadecimal digits"],
  ["unix:path=/a%zz", "path", 12, "two hexadecimal digits"],
  ["tcp:host=x,port=1;unix:abstract=%ff%fe", "abstract", 32, "UTF-8"],
])("%s is refused with the place of the trouble", (text, key, position, reason) => {
  const error = errorOf(() => parseAddresses(text));
  expect(error).toMatchObject({ code: "ONEHOP_ADDRESS_SYNTAX", address: text, key, position });
  expect(error.message).toContain(reason);
  expect(error.message).not.toContain("\n");
});

test("what is written is read back, whatever is in the values", () => {
  const name = fc.stringMatching(/^[a-z][a-z0-9_-]*$/);
  const value = unicodeText({ minLength: 1 });
  const address = fc
    .tuple(name, fc.dictionary(name, value, { noNullPrototype: true }))
    .map(([transport, values]) => addressOf(transport, values));
  fc.assert(
    fc.property(fc.array(address, { minLength: 1, maxLength: 4 }), (addresses) => {
      const text = formatAddresses(addresses);
      expect(text).toMatch(/^[-0-9A-Za-z_/.\\*%;:,=]+$/);
      expect(parseAddresses(text)).toEqual(addresses);
    }),
  );
});

test("any text is read or refused with an AddressError inside it", () => {
  const text = fc.oneof(fc.string(), fc.string({ unit: fc.constantFrom(..."unix:path=/;,%2f") }));
  fc.assert(
    fc.property(text, (input) => {
      try {
        expect(parseAddresses(input).length).toBeGreaterThan(0);
      } catch (error) {
        expect(error).toBeInstanceOf(AddressError);
        const { position } = error as AddressError; // checked above
        expect(position >= 0 && position <= input.length).toBe(true);
      }
    }),
  );
});

test("escaping leaves exactly the bytes alone that the specification allows", () => {
  const allowed = "-0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz/.\\*";
  for (let code = 0; code < 128; code++) {
    const character = String.fromCharCode(code);
    const hex = `%${code.toString(16).padStart(2, "0")}`;
    expect(escapeValue(character)).toBe(allowed.includes(character) ? character : hex);
  }
  expect(escapeValue("é")).toBe("%c3%a9");
});

test("a server's GUID goes last and replaces the one that was there", () => {
  const listened = only("unix:guid=00000000000000000000000000000000,path=/x");
  const printed = withGuid(listened, GUID);
  expect(formatAddress(printed)).toBe(`unix:path=/x,guid=${GUID}`);
  expect(guidOf(printed)).toBe(GUID);
  expect(guidOf(only("unix:path=/x"))).toBeNull();
  expect(guidOf(only(`unix:path=/x,guid=${GUID.toUpperCase()}`))).toBe(GUID);
});

test("a GUID that is none is refused", () => {
  expect(errorOf(() => guidOf(only("unix:path=/x,guid=12")))).toMatchObject({
    key: "guid",
    position: 13,
  });
});

const TCP = { kind: "tcp", port: 0, family: 0, hasNonce: false };

test.each([
  ["unix:path=/x,foo=bar", { kind: "path", path: "/x" }],
  ["unix:path=x", { kind: "path", path: "x" }],
  ["unix:abstract=/x", { kind: "abstract", name: "/x" }],
  ["unix:dir=/tmp", { kind: "directory", directory: "/tmp" }],
  ["unix:tmpdir=/tmp", { kind: "directory", directory: "/tmp" }],
  ["unix:runtime=yes", { kind: "path", path: "/run/me/bus" }],
  ["systemd:", { kind: "systemd" }],
  ["tcp:", { ...TCP, host: "localhost", bind: "localhost" }],
  ["tcp:host=a,port=7,family=ipv6", { ...TCP, host: "a", bind: "a", port: 7, family: 6 }],
  ["tcp:host=a,bind=*", { ...TCP, host: "a", bind: null }],
  ["nonce-tcp:host=*,noncefile=/x", { ...TCP, host: "*", bind: null, hasNonce: true }],
])("a server can listen on %s", (text, target) => {
  expect(listenTargetOf(only(text), "/run/me")).toEqual(target);
});

test.each([
  ["unix:", null, "ONEHOP_ADDRESS_SYNTAX", "one of"],
  ["unix:path=/a,dir=/b", "dir", "ONEHOP_ADDRESS_SYNTAX", "only one of"],
  ["unix:runtime=no", "runtime", "ONEHOP_ADDRESS_SYNTAX", '"yes"'],
  ["unix:runtime=yes", "runtime", "ONEHOP_ADDRESS_UNSUPPORTED", "XDG_RUNTIME_DIR"],
  ["unix:path=/a%00b", "path", "ONEHOP_ADDRESS_SYNTAX", "NUL"],
  ["tcp:host=a,port=65536", "port", "ONEHOP_ADDRESS_UNSUPPORTED", "0 to 65535"],
  ["tcp:host=a,port=0x50", "port", "ONEHOP_ADDRESS_UNSUPPORTED", "0 to 65535"],
  ["nonce-tcp:family=ipx", "family", "ONEHOP_ADDRESS_UNSUPPORTED", '"ipv6"'],
  ["tcp:host=a%00b", "host", "ONEHOP_ADDRESS_SYNTAX", "NUL"],
  ["unixexec:path=ssh", null, "ONEHOP_ADDRESS_UNSUPPORTED", '"unixexec"'],
  ["autolaunch:", null, "ONEHOP_ADDRESS_UNSUPPORTED", '"autolaunch"'],
  ["launchd:env=X", null, "ONEHOP_ADDRESS_UNSUPPORTED", '"launchd"'],
])("a server cannot listen on %s", (text, key, code, reason) => {
  const error = errorOf(() => listenTargetOf(only(text), null));
  expect(error).toMatchObject({ code, key, address: text });
  expect(error.message).toContain(reason);
});

test.each([
  ["unix:path=/x", { kind: "unix", name: "/x", isAbstract: false }],
  [`unix:abstract=/x,guid=${GUID}`, { kind: "unix", name: "/x", isAbstract: true }],
  [
    "tcp:host=localhost,port=80,family=ipv6",
    { kind: "tcp", host: "localhost", port: 80, family: 6, nonceFile: null },
  ],
  [
    "nonce-tcp:host=127.0.0.1,port=1,noncefile=/n",
    { kind: "tcp", host: "127.0.0.1", port: 1, family: 0, nonceFile: "/n" },
  ],
  [
    "unixexec:path=ssh,argv0=s,argv1=h,argv3=x",
    { kind: "program", path: "ssh", words: ["s", "h"] },
  ],
  ["autolaunch:scope=x", { kind: "autolaunch" }],
])("a client can connect to %s", (text, target) => {
  expect(connectTargetOf(only(text))).toEqual(target);
});

test.each([
  ["unix:tmpdir=/tmp", "tmpdir", "listen"],
  ["unix:runtime=yes", "runtime", "listen"],
  ["unix:path=/a,abstract=b", "abstract", "only one of"],
  ["unix:guid=x", null, "one of"],
  ["systemd:", null, '"systemd"'],
  ["tcp:host=localhost", null, '"port"'],
  ["tcp:port=1", null, '"host"'],
  ["tcp:host=localhost,port=65536", "port", "65535"],
  ["tcp:host=localhost,port=1,family=ipx", "family", "ipv4"],
  ["nonce-tcp:host=localhost,port=1", null, '"noncefile"'],
  ["unixexec:argv1=x", null, '"path"'],
  ["launchd:env=X", null, '"launchd"'],
])("a client cannot connect to %s", (text, key, reason) => {
  const error = errorOf(() => connectTargetOf(only(text)));
  expect(error.key).toBe(key);
  expect(error.message).toContain(reason);
});
