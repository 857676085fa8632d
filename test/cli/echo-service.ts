/** A service on a bus for the commands to talk to: it sends back what it gets, and describes itself. */

import { type Client, connect, type ReceivedMessage, Variant } from "../../client/index.ts";

export const ECHO = "org.example.Echo";

const ROOT = `<node>
  <interface name="org.example.Echo">
    <method name="Echo"><arg name="what" type="s" direction="in"/><arg type="s" direction="out"/></method>
    <method name="Set"><arg name="key" type="s" direction="in"/><arg name="value" type="v" direction="in"/></method>
    <method name="Old">
      <annotation name="org.freedesktop.DBus.Deprecated" value="true"/>
      <annotation name="org.freedesktop.DBus.Method.NoReply" value="true"/>
    </method>
    <signal name="Changed"><arg type="s"/><arg type="u"/></signal>
    <property name="Title" type="s" access="readwrite">
      <annotation name="org.freedesktop.DBus.Property.EmitsChangedSignal" value="false"/>
    </property>
    <property name="Options" type="a{sv}" access="read"/>
    <property name="Level" type="u" access="read">
      <annotation name="org.freedesktop.DBus.Property.EmitsChangedSignal" value="invalidates"/>
    </property>
    <property name="Version" type="u" access="read">
      <annotation name="org.freedesktop.DBus.Property.EmitsChangedSignal" value="const"/>
    </property>
    <property name="Secret" type="u" access="write"/>
  </interface>
  <interface name="org.example.Empty"/>
  <node name="child"/><node name="a/b"/>
</node>`;

const BELOW: Readonly<Record<string, string>> = {
  "/child": "<node/>",
  "/a/b": '<node><node name="c1"/><node name="c2"><node name="deep"/></node></node>',
  "/a/b/c1": "<node/>",
  "/a/b/c2": "<node/>",
  "/a/b/c2/deep": "<node/>",
};

/** Joins the bus, owns the name and answers until it is closed. */
export async function startEcho(address: string): Promise<Client> {
  const client: Client = await connect(address, {
    onCall: (call) => {
      answer(client, call);
      return true;
    },
  });
  await client.requestName(ECHO);
  return client;
}

function answer(client: Client, call: ReceivedMessage): void {
  switch (call.member) {
    case "Introspect": {
      const xml = call.path === "/" ? ROOT : BELOW[call.path ?? ""];
      if (xml === undefined) refuse(client, call);
      else client.reply(call, { signature: "s", body: [xml] });
      return;
    }
    case "GetAll":
      client.reply(call, { signature: "a{sv}", body: [valuesOf(String(call.body[0]))] });
      return;
    case "Fail":
      client.replyError(call, "org.example.Error.Bad", "it is\nbad");
      return;
    case "Silent":
      return;
    default:
      client.reply(call, call);
  }
}

function refuse(client: Client, call: ReceivedMessage): void {
  client.replyError(call, "org.freedesktop.DBus.Error.UnknownObject", "no such object");
}

function valuesOf(interfaceName: string): ReadonlyMap<string, Variant> {
  if (interfaceName !== ECHO) return new Map();
  return new Map([
    ["Title", new Variant<unknown>("s", "an echo")],
    ["Options", new Variant<unknown>("a{sv}", new Map([["k", new Variant("u", 5)]]))],
    ["Level", new Variant<unknown>("u", 7)],
    ["Version", new Variant<unknown>("u", 1)],
  ]);
}
