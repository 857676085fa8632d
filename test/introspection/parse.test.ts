import { spawnSync } from "node:child_process";
import { expect, test } from "@jest/globals";
import { introspection } from "../../bus/driver/introspection.ts";
import { formatIntrospection } from "../../introspection/format.ts";
import { annotationOf, type NodeDescription, signatureOf } from "../../introspection/model.ts";
import { IntrospectionError, parseIntrospection } from "../../introspection/parse.ts";
import { hasReferenceDaemon, ReferenceDaemon } from "../transport/reference-daemon.ts";

const PLAYER = `

<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE node PUBLIC "-//freedesktop//DTD D-BUS Object Introspection 1.0//EN"
"http://www.freedesktop.org/standards/dbus/1.0/introspect.dtd">
<node xmlns:tp="http://telepathy.freedesktop.org/wiki/DbusSpec#extensions-v0">
  <!-- a comment -->
  <interface name="org.example.Player">
    <tp:docstring>What it does.</tp:docstring>
    <method name="Play" tp:name-for-bindings="Play">
      <arg type="s" name="title"/>
      <arg type="a{sv}" direction="in"/>
      <arg type="(ii)" name="" direction="out"/>
      <annotation name="org.freedesktop.DBus.Deprecated" value="true"/>
    </method>
    <signal name="Played"><arg name="title" type="s"/></signal>
    <property name="Volume" type="d" access="readwrite">
      <annotation name="org.freedesktop.DBus.Property.EmitsChangedSignal" value="false"/>
    </property>
  </interface>
  <interface name="org.example.Player"><method name="Stop"/></interface>
  <node name="tracks/1"/>
  <node name="list"/>
</node>`;

test("what a service emits becomes a model, unknown elements left out", () => {
  const node = parseIntrospection(PLAYER);
  expect(node.name).toBeNull();
  expect(node.children.map(({ name }) => name)).toEqual(["tracks/1", "list"]);
  const [player] = node.interfaces;
  if (player === undefined) throw new Error("no interface");
  expect(node.interfaces).toHaveLength(1);
  expect(player.methods.map(({ name }) => name)).toEqual(["Play", "Stop"]);
  const [play] = player.methods;
  if (play === undefined) throw new Error("no method");
  expect([signatureOf(play.inputs), signatureOf(play.outputs)]).toEqual(["sa{sv}", "(ii)"]);
  expect(play.inputs.map(({ name }) => name)).toEqual(["title", null]);
  expect(play.outputs.map(({ name }) => name)).toEqual([null]);
  expect(annotationOf(play, "org.freedesktop.DBus.Deprecated")).toBe("true");
  expect(annotationOf(play, "org.example.Other")).toBeNull();
  expect(player.signals).toEqual([
    { name: "Played", args: [{ name: "title", signature: "s", annotations: [] }], annotations: [] },
  ]);
  expect(player.properties[0]).toMatchObject({
    name: "Volume",
    signature: "d",
    access: "readwrite",
  });
});

test("what is written is read back the same", () => {
  const node = parseIntrospection(PLAYER);
  expect(parseIntrospection(formatIntrospection(node))).toEqual(node);
  const named: NodeDescription = { name: "/a", interfaces: [], children: [node].map(named1) };
  expect(parseIntrospection(formatIntrospection(named))).toEqual(named);
});

function named1(node: NodeDescription): NodeDescription {
  return { ...node, name: "child" };
}

test.each([
  ["", 1, "Root"],
  ["<node>", 1, "end tag"],
  ["<interface/>", 1, "expected <node>"],
  ['<node>\n<interface name="a"/></node>', 2, '"a" is not a valid name of <interface>'],
  ["<node>\n<interface/></node>", 2, "<interface> has no name"],
  ["<node>\n<node/></node>", 2, "is not the name of a node"],
  ['<node name="relative"/>', 1, "is not the name of a node"],
  ['<node><interface name="a.b">\n<method name="x-y"/></interface></node>', 2, '"x-y"'],
  ['<node><interface name="a.b"><method name="X">\n<arg/></method></interface></node>', 2, "type"],
  [
    '<node><interface name="a.b"><signal name="X">\n<arg type="ss"/></signal></interface></node>',
    2,
    '"ss" is not one complete type',
  ],
  [
    '<node><interface name="a.b"><method name="X">\n<arg type="s" direction="up"/></method></interface></node>',
    2,
    '"up"',
  ],
  ['<node><interface name="a.b">\n<property name="X" type="s"/></interface></node>', 2, "access"],
])("a fault is named with its place: %j", (xml, line, reason) => {
  let thrown: unknown = null;
  try {
    parseIntrospection(xml);
  } catch (error) {
    thrown = error;
  }
  if (!(thrown instanceof IntrospectionError)) throw thrown;
  expect(thrown.code).toBe("ONEHOP_INTROSPECTION");
  expect(thrown.line).toBe(line);
  expect(thrown.message).toContain(reason);
});

test("with onProblem a wrong element is left out, and the rest is read", () => {
  const problems: string[] = [];
  const node = parseIntrospection(
    '<node><interface name="a.b"><method name="x-y"/><method name="Good"/></interface><interface name="bad"/></node>',
    { onProblem: ({ message }) => problems.push(message) },
  );
  expect(node.interfaces.map(({ name, methods }) => [name, methods.map((m) => m.name)])).toEqual([
    ["a.b", ["Good"]],
  ]);
  expect(problems).toHaveLength(2);
});

test("hostile data is refused: entities, depth, size", () => {
  const entity = '<!DOCTYPE n [<!ENTITY a "b">]><node name="&a;"/>';
  expect(() => parseIntrospection(entity)).toThrow(IntrospectionError);
  const deep = '<node name="/a">'.repeat(100_000);
  expect(() => parseIntrospection(deep)).toThrow(IntrospectionError);
  const limits = { maxCharacters: 10, maxDepth: 2 };
  expect(() => parseIntrospection(PLAYER, { limits })).toThrow("longer than 10 characters");
});

test("what this bus and dbus-daemon say of themselves can be read", async () => {
  const ours = parseIntrospection(introspection("/org/freedesktop/DBus"));
  expect(ours.interfaces.map(({ name }) => name)).toContain("org.freedesktop.DBus.Monitoring");
  if (!hasReferenceDaemon("introspecting dbus-daemon")) return;
  const daemon = await ReferenceDaemon.start();
  try {
    const sent = spawnSync("dbus-send", [
      `--bus=${daemon.address}`,
      "--print-reply=literal",
      "--dest=org.freedesktop.DBus",
      "/org/freedesktop/DBus",
      "org.freedesktop.DBus.Introspectable.Introspect",
    ]);
    const theirs = parseIntrospection(sent.stdout.toString("utf8"));
    const names = theirs.interfaces.map(({ name }) => name);
    expect(names).toContain("org.freedesktop.DBus");
    expect(theirs.interfaces[0]?.methods.map(({ name }) => name)).toContain("RequestName");
  } finally {
    await daemon.stop();
  }
});
