/** The same questions to busctl and to us, on dbus-daemon and on onehop: the same answers. */

import { execFile } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, jest, test } from "@jest/globals";
import fc from "fast-check";
import { startBus } from "../../bus/index.ts";
import { parseArguments } from "../../cli/arguments.ts";
import { namesOnBus } from "../../cli/bus-names.ts";
import { busStatus } from "../../cli/bus-status.ts";
import { introspectObject } from "../../cli/introspect-object.ts";
import { membersOf } from "../../cli/object-members.ts";
import { discoverObjects } from "../../cli/object-tree.ts";
import { ownerStatus } from "../../cli/owner-status.ts";
import { paintFor } from "../../cli/print/colour.ts";
import { formatMembers } from "../../cli/print/member-table.ts";
import { formatReply } from "../../cli/print/reply.ts";
import { formatTree } from "../../cli/print/tree.ts";
import { formatBody } from "../../cli/print/value.ts";
import { type Client, connect, Variant } from "../../client/index.ts";
import { parseSignature } from "../../wire/signature.ts";
import { testWithProgram } from "../compat/programs.ts";
import { ReferenceDaemon } from "../transport/reference-daemon.ts";
import { signature, valueOfType } from "../wire/arbitrary.ts";
import { ECHO, startEcho } from "./echo-service.ts";

jest.setTimeout(60_000);

const run = promisify(execFile);
const limits = { objects: 100, depth: 10, timeoutMs: 10_000 };
const plain = paintFor({ isTTY: false }, {});

interface RunningBus {
  readonly address: string;
  readonly stop: () => Promise<void>;
}

async function startOnehop(): Promise<RunningBus> {
  const folder = mkdtempSync(join(tmpdir(), "onehop-test-busctl-"));
  const started = await startBus({
    listen: [`unix:path=${join(folder, "bus")}`],
    mayConnect: () => true,
  });
  return {
    address: started.address,
    stop: async () => {
      await started.stop();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

async function startReference(): Promise<RunningBus> {
  const daemon = await ReferenceDaemon.start();
  return { address: daemon.address, stop: () => daemon.stop() };
}

describe.each([
  ["dbus-daemon", startReference],
  ["onehop", startOnehop],
])("on %s", (_name, startBusOf) => {
  let bus: RunningBus;
  let service: Client;
  let client: Client;
  beforeAll(async () => {
    bus = await startBusOf();
    service = await startEcho(bus.address);
    client = await connect(bus.address);
  });
  afterAll(async () => {
    await client.close();
    await service.close();
    await bus.stop();
  });

  async function busctl(...words: string[]): Promise<string> {
    const { stdout } = await run("busctl", [`--address=${bus.address}`, "--no-pager", ...words]);
    return stdout;
  }

  async function echoed(
    json: "off" | "short",
    types: string,
    words: readonly string[],
  ): Promise<string> {
    const method = { destination: ECHO, path: "/", interface: ECHO, member: "Echo" };
    const { descriptors: _none, ...content } = parseArguments(types, words);
    const reply = await client.call({ ...method, ...content });
    return formatReply(reply, { json, verbose: false, width: 80 });
  }

  function busctlEcho(json: string, types: string, words: readonly string[]): Promise<string> {
    return busctl(`--json=${json}`, "call", "--", ECHO, "/", ECHO, "Echo", types, ...words);
  }

  testWithProgram("busctl", "values are read and printed as busctl does", async () => {
    const cases = fc.sample(printedAlike, 25);
    const differences = await Promise.all(
      cases.map(async ([types, words]) => {
        const [theirs, ours] = await Promise.all([
          busctlEcho("off", types, words),
          echoed("off", types, words),
        ]);
        return unquoted(theirs) === unquoted(ours) ? [] : [theirs, ours];
      }),
    );
    expect(differences.flat()).toEqual([]);
  });

  testWithProgram("busctl", "JSON has the same values", async () => {
    const cases: [string, string[]][] = [
      ["s", ['a"ü\n']],
      ["v", ["u", "5"]],
      ["a{sv}", ["2", "a", "u", "5", "b", "as", "1", "x"]],
      ["(sa(uv))d", ["x", "1", "5", "s", "y", "0.1"]],
      ["ayasb", ["2", "1", "2", "0", "yes"]],
      ["a{s(ii)}", ["1", "k", "1", "2"]],
    ];
    for (const [types, words] of cases) {
      const [theirs, ours] = [
        await busctlEcho("short", types, words),
        await echoed("short", types, words),
      ];
      expect(JSON.parse(ours)).toEqual(JSON.parse(theirs));
    }
    const largest = ["18446744073709551615"];
    expect(await echoed("short", "t", largest)).toBe(await busctlEcho("short", "t", largest));
  });

  testWithProgram("busctl", "the same names are listed, of the same processes", async () => {
    const choice = { unique: true, acquired: true, activatable: true };
    const theirs: Record<string, unknown>[] = JSON.parse(await busctl("list", "--json=short"));
    const ours = await namesOnBus(client, choice);
    const common = theirs
      .filter(({ process }) => process !== "busctl")
      .map(({ name, pid, user, connection, unit, session }) => ({
        ...{ name, pid, user, connection, unit, session },
      }));
    expect(
      ours.map(({ name, pid, user, connection, unit, session }) => ({
        ...{ name, pid, user, connection, unit, session },
      })),
    ).toEqual(common);
  });

  testWithProgram("busctl", "the same objects are found, in the same tree", async () => {
    const { paths, failures, cuts } = await discoverObjects(client, ECHO, limits);
    expect(paths.map((path) => `${path}\n`).join("")).toBe(await busctl("tree", "--list", ECHO));
    expect(formatTree(paths)).toBe(await busctl("tree", ECHO));
    expect([failures, cuts]).toEqual([[], []]);
  });

  test("the status of the bus and of an owner tell the same as their parts", async () => {
    const status = await busStatus(client);
    expect(status).toMatchObject({
      id: expect.stringMatching(/^[0-9a-f]{32}$/),
      serverGuid: client.guid,
      interfaces: expect.arrayContaining(["org.freedesktop.DBus.Monitoring"]),
      matchRules: 0,
      wellKnownNames: 2,
      withheld: [],
    });
    expect(status.peers).toBeGreaterThanOrEqual(2);
    expect(status.statistics?.get("BusNames")?.value).toBeGreaterThanOrEqual(3);
    expect(await ownerStatus(client, ECHO)).toMatchObject({
      uniqueName: service.uniqueName,
      names: [ECHO],
      processId: process.pid,
      userId: process.getuid?.(),
    });
    expect(await ownerStatus(client, "org.example.Nobody")).toBeNull();
  });

  testWithProgram("busctl", "objects have the same members", async () => {
    for (const name of [ECHO, "org.freedesktop.DBus"]) {
      const path = name === ECHO ? "/" : "/org/freedesktop/DBus";
      const node = await introspectObject(client, name, path);
      const { members } = await membersOf(client, name, path, node, null);
      const options = { paint: plain, width: Number.POSITIVE_INFINITY, legend: true };
      const cells = (table: string): string[] =>
        table
          .trim()
          .split("\n")
          .map((line) => line.replaceAll(/ +/g, " "));
      expect(cells(formatMembers(members, options))).toEqual(
        cells(await busctl("introspect", name, path)),
      );
    }
  });
});

/** Only we quote signatures with parentheses, which shells would not like. */
function unquoted(text: string): string {
  return text.replaceAll(/"([^" ]*\([^" ]*)"/g, "$1");
}

/** Signatures with words that busctl and we print alike: no letters that it escapes, no doubles, which it rounds. */
const printedAlike: fc.Arbitrary<[string, string[]]> = signature()
  .filter((types) => types !== "" && !/[dh]/.test(types))
  .chain((types) =>
    fc
      .tuple(...parseSignature(types).map((type) => valueOfType(type, 0)))
      .map((values): [string, string[]] => [types, wordsFor(types, values.map(tamed))]),
  );

function tamed(value: unknown): unknown {
  if (typeof value === "string") return value.replaceAll(/[^ -~]|["'$`\\!]/g, "x");
  if (Array.isArray(value)) return value.map(tamed);
  if (value instanceof Map)
    return new Map([...value].map(([key, each]) => [tamed(key), tamed(each)]));
  if (!(value instanceof Variant)) return value;
  return /[dh]/.test(value.signature)
    ? new Variant("s", "instead")
    : new Variant(value.signature, tamed(value.value));
}

/** The arguments in what is printed, which has nothing in it that only a shell could read. */
function wordsFor(types: string, values: readonly unknown[]): string[] {
  const printed = formatBody(types, values).matchAll(/"([^"]*)"|(\S+)/g);
  return [...printed].slice(1).map(([, quoted, bare]) => quoted ?? bare ?? "");
}

test("what is compared has values of many types", () => {
  const types = fc
    .sample(printedAlike, 200)
    .map(([each]) => each)
    .join("");
  for (const code of "ybnqiuxtsogva({") expect(types).toContain(code);
});
