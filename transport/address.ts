/**
 * D-Bus server addresses: reading, writing, and what they ask of a listener or a client.
 *
 * https://dbus.freedesktop.org/doc/dbus-specification.html#addresses
 */

import { join } from "node:path";
import { isGuid } from "./guid.ts";

/** One way to reach or to offer a server. */
export interface Address {
  /** "unix", "tcp", "systemd", …; every kind can be read, few can be used. */
  readonly transport: string;
  /** Unescaped values by key. Where a key is given twice the first counts, as in dbus-daemon. */
  readonly properties: ReadonlyMap<string, string>;
}

/** What to bind for a listenable address. */
export type ListenTarget =
  | { readonly kind: "path"; readonly path: string }
  | { readonly kind: "abstract"; readonly name: string }
  /** A socket with a random name in this directory. */
  | { readonly kind: "directory"; readonly directory: string }
  | {
      readonly kind: "tcp";
      /** What clients are told to connect to. */
      readonly host: string;
      /** The host or address to bind; null: every interface. */
      readonly bind: string | null;
      /** 0: any that is free. */
      readonly port: number;
      /** 0: either. */
      readonly family: 0 | 4 | 6;
      /** Do clients have to know the contents of a file that is made for that? */
      readonly hasNonce: boolean;
    }
  /** The sockets that whoever started this process has opened for it. */
  | { readonly kind: "systemd" };

/** What to connect to for a connectable address. */
export type ConnectTarget =
  /** `name` is a path, or a name in the abstract namespace. */
  | { readonly kind: "unix"; readonly name: string; readonly isAbstract: boolean }
  | {
      readonly kind: "tcp";
      readonly host: string;
      readonly port: number;
      /** 0: either. */
      readonly family: 0 | 4 | 6;
      /** The file with the 16 bytes that a nonce-tcp server wants to see first, or null. */
      readonly nonceFile: string | null;
    }
  /** A bus that dbus-launch(1) finds, or starts, for this user and X display. */
  | { readonly kind: "autolaunch" }
  /** A program whose standard input and output are the connection; `words` begin with argv[0]. */
  | { readonly kind: "program"; readonly path: string; readonly words: readonly string[] };

/** An address that cannot be read or cannot be used; the message is one line with all of this in it. */
export class AddressError extends Error {
  override readonly name = "AddressError";
  readonly code: "ONEHOP_ADDRESS_SYNTAX" | "ONEHOP_ADDRESS_UNSUPPORTED";
  /** What is wrong, without the address. */
  readonly reason: string;
  /** The address, or the list of addresses, as it was written. */
  readonly address: string;
  /** The key whose value is the trouble, or null. */
  readonly key: string | null;
  /** Where in `address` the trouble is, in characters from 0. */
  readonly position: number;

  constructor(
    code: "ONEHOP_ADDRESS_SYNTAX" | "ONEHOP_ADDRESS_UNSUPPORTED",
    reason: string,
    address: string,
    key: string | null,
    position: number,
  ) {
    const where = key === null ? `character ${position}` : `key "${key}", character ${position}`;
    super(`D-Bus address ${JSON.stringify(address)}: ${reason} (${where})`);
    this.code = code;
    this.reason = reason;
    this.address = address;
    this.key = key;
    this.position = position;
  }
}

/**
 * Reads a list of addresses, separated by `;`, in order.
 *
 * As strict as dbus-daemon 1.14, and as lenient: a `;` or `,` may end an address without another one
 * following, and a `:` may have no key behind it.
 *
 * @throws AddressError for what is no address, and for values that are not UTF-8
 */
export function parseAddresses(text: string): Address[] {
  if (text === "") throw syntaxError("it is empty", text, null, 0);
  const addresses: Address[] = [];
  let position = 0;
  while (position < text.length) {
    const end = indexOrEnd(text, ";", position, text.length);
    addresses.push(parseAddress(text, position, end));
    position = end + 1;
  }
  return addresses;
}

/** Writes an address so that `parseAddresses` reads it back. */
export function formatAddress(address: Address): string {
  const pairs = [...address.properties].map(([key, value]) => `${key}=${escapeValue(value)}`);
  return `${address.transport}:${pairs.join(",")}`;
}

/** Writes a list of addresses. */
export function formatAddresses(addresses: readonly Address[]): string {
  return addresses.map(formatAddress).join(";");
}

/** An address of this transport with these properties. */
export function addressOf(
  transport: string,
  properties: Readonly<Record<string, string>>,
): Address {
  return { transport, properties: new Map(Object.entries(properties)) };
}

/** The same address with the server's GUID as its last property: the form that servers print. */
export function withGuid(address: Address, guid: string): Address {
  const properties = new Map(address.properties);
  properties.delete("guid");
  return { transport: address.transport, properties: properties.set("guid", guid) };
}

/**
 * The GUID that a client may expect from the server, or null if the address has none.
 *
 * @throws AddressError if it is not 32 hexadecimal digits
 */
export function guidOf(address: Address): string | null {
  const guid = address.properties.get("guid");
  if (guid === undefined) return null;
  if (!isGuid(guid)) throw syntaxErrorIn(address, "a GUID has 32 hexadecimal digits", "guid");
  return guid.toLowerCase();
}

/** Does a server on this address know nothing of its peers but what they prove? */
export function isNetwork({ transport }: Address): boolean {
  return transport === "tcp" || transport === "nonce-tcp";
}

/**
 * What a server has to bind for this address; `guid` and unknown keys are ignored, as in dbus-daemon.
 *
 * `runtimeDirectory` stands for $XDG_RUNTIME_DIR in `unix:runtime=yes`; null if it is not set.
 *
 * @throws AddressError if the address is not listenable here
 */
export function listenTargetOf(address: Address, runtimeDirectory: string | null): ListenTarget {
  switch (address.transport) {
    case "unix":
      return unixListenTargetOf(address, runtimeDirectory);
    case "tcp":
    case "nonce-tcp":
      return tcpListenTargetOf(address);
    case "systemd":
      return { kind: "systemd" };
    default: {
      const reason = `cannot listen on "${address.transport}", only on unix, tcp, nonce-tcp and systemd`;
      throw unsupportedError(address, reason);
    }
  }
}

function unixListenTargetOf(address: Address, runtimeDirectory: string | null): ListenTarget {
  const key = onlyKeyOf(address, ["path", "dir", "tmpdir", "abstract", "runtime"]);
  const value = checkedValueOf(address, key);
  switch (key) {
    case "path":
      return { kind: "path", path: value };
    case "abstract":
      return { kind: "abstract", name: value };
    case "dir":
      return { kind: "directory", directory: value };
    case "tmpdir":
      // May be an abstract socket by the specification; dbus-daemon stopped doing so in 1.14.4.
      return { kind: "directory", directory: value };
    case "runtime":
      if (value !== "yes") {
        throw syntaxErrorIn(address, 'the only value of "runtime" is "yes"', key);
      }
      if (runtimeDirectory === null) {
        throw unsupportedError(address, "XDG_RUNTIME_DIR is not set", key);
      }
      return { kind: "path", path: join(runtimeDirectory, "bus") };
  }
}

/**
 * Values that cannot be used are not errors that end a search, as they are in paths: dbus-daemon tries
 * the next address of the list. `noncefile` is ignored: the file is made up.
 */
function tcpListenTargetOf(address: Address): ListenTarget {
  const given = (key: string): string | null =>
    address.properties.has(key) ? checkedValueOf(address, key) : null;
  const host = given("host") ?? "localhost";
  const bind = given("bind") ?? host;
  const port = given("port") ?? "0";
  const family = given("family");
  const refuse = (reason: string, key: string): AddressError =>
    unsupportedError(address, reason, key);
  if (!/^[0-9]{1,5}$/.test(port) || Number(port) > 65535) {
    throw refuse("a port to listen on is a number from 0 to 65535", "port");
  }
  if (family !== null && family !== "ipv4" && family !== "ipv6") {
    throw refuse('a family is "ipv4" or "ipv6"', "family");
  }
  return {
    kind: "tcp",
    host,
    bind: bind === "*" ? null : bind,
    port: Number(port),
    family: family === null ? 0 : family === "ipv4" ? 4 : 6,
    hasNonce: address.transport === "nonce-tcp",
  };
}

/**
 * What a client has to connect to for this address.
 *
 * @throws AddressError if it cannot connect to such an address
 */
export function connectTargetOf(address: Address): ConnectTarget {
  switch (address.transport) {
    case "unix":
      return unixTargetOf(address);
    case "tcp":
      return tcpTargetOf(address, null);
    case "nonce-tcp":
      return tcpTargetOf(address, requiredValueOf(address, "noncefile"));
    case "unixexec":
      return programTargetOf(address);
    case "autolaunch":
      // Its "scope" means something on Windows only.
      return { kind: "autolaunch" };
    default: {
      const reason = `cannot connect to "${address.transport}", only to unix, tcp, nonce-tcp, unixexec and autolaunch`;
      throw unsupportedError(address, reason);
    }
  }
}

function unixTargetOf(address: Address): ConnectTarget {
  for (const key of ["dir", "tmpdir", "runtime"]) {
    if (address.properties.has(key)) {
      throw unsupportedError(
        address,
        `"${key}" is for servers to listen on, not to connect to`,
        key,
      );
    }
  }
  const key = onlyKeyOf(address, ["path", "abstract"]);
  return { kind: "unix", name: checkedValueOf(address, key), isAbstract: key === "abstract" };
}

/** https://dbus.freedesktop.org/doc/dbus-specification.html#transports-tcp-sockets */
function tcpTargetOf(address: Address, nonceFile: string | null): ConnectTarget {
  const port = requiredValueOf(address, "port");
  if (!/^[0-9]{1,5}$/.test(port) || Number(port) < 1 || Number(port) > 65535) {
    throw syntaxErrorIn(address, "a port is a number from 1 to 65535", "port");
  }
  const family = address.properties.get("family");
  if (family !== undefined && family !== "ipv4" && family !== "ipv6") {
    throw syntaxErrorIn(address, 'a family is "ipv4" or "ipv6"', "family");
  }
  return {
    kind: "tcp",
    host: requiredValueOf(address, "host"),
    port: Number(port),
    family: family === undefined ? 0 : family === "ipv4" ? 4 : 6,
    nonceFile,
  };
}

/** https://dbus.freedesktop.org/doc/dbus-specification.html#transports-exec */
function programTargetOf(address: Address): ConnectTarget {
  const path = requiredValueOf(address, "path");
  const words = [address.properties.has("argv0") ? checkedValueOf(address, "argv0") : path];
  while (address.properties.has(`argv${words.length}`)) {
    words.push(checkedValueOf(address, `argv${words.length}`));
  }
  return { kind: "program", path, words };
}

/**
 * Escapes a value: every byte of its UTF-8 form that is not "optionally escaped" by the specification
 * becomes `%` and two lower-case hexadecimal digits.
 */
export function escapeValue(value: string): string {
  let escaped = "";
  for (const byte of Buffer.from(value, "utf8")) {
    const character = String.fromCharCode(byte);
    escaped += isOptionallyEscaped(character)
      ? character
      : `%${byte.toString(16).padStart(2, "0")}`;
  }
  return escaped;
}

function parseAddress(text: string, start: number, end: number): Address {
  const colon = text.indexOf(":", start);
  if (colon < 0 || colon >= end) {
    throw syntaxError("an address begins with a transport and a colon", text, null, start);
  }
  const properties = new Map<string, string>();
  let position = colon + 1;
  while (position < end) {
    const pairEnd = indexOrEnd(text, ",", position, end);
    const equals = indexOrEnd(text, "=", position, pairEnd);
    if (equals === pairEnd) throw syntaxError('a key has no "=" after it', text, null, position);
    if (equals === position) throw syntaxError('there is no key before "="', text, null, position);
    const key = text.slice(position, equals);
    if (equals + 1 === pairEnd) throw syntaxError('there is no value after "="', text, key, equals);
    const value = unescapeValue(text, equals + 1, pairEnd, key);
    if (!properties.has(key)) properties.set(key, value);
    position = pairEnd + 1;
  }
  return { transport: text.slice(start, colon), properties };
}

function unescapeValue(text: string, start: number, end: number, key: string): string {
  const bytes = Buffer.alloc(end - start);
  let length = 0;
  for (let at = start; at < end; at++) {
    const character = text[at] as string; // at is below end
    if (isOptionallyEscaped(character)) {
      bytes[length++] = character.charCodeAt(0);
    } else if (character === "%") {
      const digits = text.slice(at + 1, Math.min(at + 3, end));
      if (!/^[0-9a-fA-F]{2}$/.test(digits)) {
        throw syntaxError("two hexadecimal digits have to follow %", text, key, at);
      }
      bytes[length++] = Number.parseInt(digits, 16);
      at += 2;
    } else {
      throw syntaxError(`${JSON.stringify(character)} has to be escaped`, text, key, at);
    }
  }
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(
      bytes.subarray(0, length),
    );
  } catch {
    // dbus-daemon takes any bytes. Names of sockets are text here, as in the rest of Node.
    throw syntaxError("the value is not UTF-8", text, key, start);
  }
}

/** The one key of `keys` that the address has. */
function onlyKeyOf<const Key extends string>(address: Address, keys: readonly Key[]): Key {
  const present = keys.filter((key) => address.properties.has(key));
  const [first, second] = present;
  const list = keys.map((key) => `"${key}"`).join(", ");
  if (first === undefined) throw syntaxErrorIn(address, `it needs one of ${list}`, null);
  if (second !== undefined) {
    throw syntaxErrorIn(address, `it can have only one of ${list}`, second);
  }
  return first;
}

function requiredValueOf(address: Address, key: string): string {
  if (!address.properties.has(key)) throw syntaxErrorIn(address, `it needs "${key}"`, null);
  return checkedValueOf(address, key);
}

function checkedValueOf(address: Address, key: string): string {
  const value = address.properties.get(key) ?? "";
  // dbus-daemon would silently use what comes before it.
  if (value.includes("\0")) throw syntaxErrorIn(address, "the value has a NUL byte in it", key);
  return value;
}

function isOptionallyEscaped(character: string): boolean {
  return /^[-0-9A-Za-z_/.\\*]$/.test(character);
}

function indexOrEnd(text: string, character: string, from: number, end: number): number {
  const index = text.indexOf(character, from);
  return index < 0 || index > end ? end : index;
}

function syntaxError(reason: string, text: string, key: string | null, at: number): AddressError {
  return new AddressError("ONEHOP_ADDRESS_SYNTAX", reason, text, key, at);
}

function syntaxErrorIn(address: Address, reason: string, key: string | null): AddressError {
  const text = formatAddress(address);
  return new AddressError("ONEHOP_ADDRESS_SYNTAX", reason, text, key, positionOf(text, key));
}

function unsupportedError(
  address: Address,
  reason: string,
  key: string | null = null,
): AddressError {
  const text = formatAddress(address);
  return new AddressError("ONEHOP_ADDRESS_UNSUPPORTED", reason, text, key, positionOf(text, key));
}

/** Where the key begins; values cannot be mistaken for it, as they have no "," or ":" of their own. */
function positionOf(text: string, key: string | null): number {
  if (key === null) return 0;
  return Math.max(text.indexOf(`:${key}=`), text.indexOf(`,${key}=`)) + 1;
}
