/** `<limit>`: every name of dbus-daemon(1), the numbers that may be written, and what counts without any. */

import { expect, test } from "@jest/globals";
import { BUILT_IN_LIMITS } from "../../compat/dbus-daemon/built-in-limits.ts";
import { busOptionsOf } from "../../compat/dbus-daemon/bus-options.ts";
import { parseLimit } from "../../compat/dbus-daemon/limit-element.ts";
import { ConfigurationFolder, configurationOf } from "./configuration-folder.ts";

/** Those that this bus has something to do with. */
const known = {
  max_incoming_bytes: "maxIncomingBytes",
  max_incoming_unix_fds: "maxIncomingUnixFds",
  max_outgoing_bytes: "maxOutgoingBytes",
  max_outgoing_unix_fds: "maxOutgoingUnixFds",
  max_message_size: "maxMessageSize",
  max_message_unix_fds: "maxMessageUnixFds",
  service_start_timeout: "serviceStartTimeoutMs",
  auth_timeout: "authTimeoutMs",
  max_completed_connections: "maxCompletedConnections",
  max_incomplete_connections: "maxIncompleteConnections",
  max_connections_per_user: "maxConnectionsPerUser",
  max_pending_service_starts: "maxPendingServiceStarts",
  max_names_per_connection: "maxNamesPerConnection",
  max_match_rules_per_connection: "maxMatchRulesPerConnection",
  max_replies_per_connection: "maxRepliesPerConnection",
};

test("every limit has its place, and a number where no file sets it", () => {
  for (const [name, key] of Object.entries(known)) {
    expect(parseLimit(name, "7")).toEqual({ problem: null, key, value: 7, warning: null });
    expect(Object.keys(BUILT_IN_LIMITS)).toContain(key);
  }
  for (const name of [
    "max_containers",
    "max_containers_per_user",
    "max_container_metadata_bytes",
  ]) {
    expect(parseLimit(name, "7")).toMatchObject({ problem: null, key: null });
  }
  expect(parseLimit("max_bees", "7")).toEqual({ problem: 'there is no limit called "max_bees"' });
});

test.each<[string, number | RegExp]>([
  ["10", 10],
  ["+10", 10],
  [" \n10 ", 10],
  ["0x10", 16],
  ["010", 8],
  ["08", 0],
  ["0x", 0],
  ["1e3", 1],
  ["-0", 0],
  ["9007199254740991", Number.MAX_SAFE_INTEGER],
  ["9223372036854775807", Number.MAX_SAFE_INTEGER],
  [`${"0".repeat(100)}10`, 8],
  ["9223372036854775808", /larger than 9223372036854775807/],
  ["9".repeat(100_000), /larger than/],
  ["-1", /negative/],
  ["x", /not a whole number/],
  ["- 1", /not a whole number/],
  ["\u00a01", /not a whole number/],
])("a number is what strtol(3) makes of it: %j", (text, expected) => {
  const limit = parseLimit("max_incoming_bytes", text);
  if (typeof expected === "number") expect(limit).toMatchObject({ problem: null, value: expected });
  else expect(limit.problem).toMatch(expected);
});

test("times and counts have 31 bits", () => {
  expect(parseLimit("auth_timeout", "2147483647")).toMatchObject({ value: 0x7fff_ffff });
  expect(parseLimit("auth_timeout", "2147483648").problem).toMatch(/larger than 2147483647/);
});

test("what a file does not set has dbus-daemon's own number, now and after a reload", () => {
  const folder = new ConfigurationFolder();
  const read = (contents: string): ReturnType<typeof configurationOf> =>
    configurationOf(folder.load(`<listen>unix:path=/x</listen>${contents}`));
  let now = read('<limit name="max_names_per_connection">7</limit>');
  const { limits } = busOptionsOf(now, () => now);
  if (typeof limits !== "function") throw new Error("limits are asked for again and again");
  expect(limits()).toMatchObject({ maxNamesPerConnection: 7, maxMatchRulesPerConnection: 512 });
  now = read("");
  expect(limits()).toMatchObject({ maxNamesPerConnection: 512 });
  folder.remove();
});
