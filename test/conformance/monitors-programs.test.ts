/** dbus-monitor and busctl as monitors beside one of the suite's own, on the same traffic. */

import { expect } from "@jest/globals";
import type { Client } from "./support/client.ts";
import { conformance, notRun, type Scene, useBus } from "./support/conformance.ts";
import { methodCall, methodReturn, signal } from "./support/messages.ts";
import { isOnPath } from "./support/programs.ts";
import { type Running, startProgram } from "./support/running-program.ts";
import { monitor } from "./support/watch.ts";
import { type Message, Type } from "./support/wire.ts";

useBus();

/** One line for a message, as far as every one of the programs tells. */
type Line = string;

const TYPES = ["", "call", "return", "error", "signal"];

function lineOf(message: Message): Line {
  const { type, sender, destination, member, errorName, serial, replySerial } = message;
  const name = member ?? errorName ?? "-";
  const reply = replySerial === null ? "" : ` to ${replySerial}`;
  // dbus-monitor does not print the serials of errors.
  const own = type === Type.Error ? "" : ` ${serial}`;
  return `${TYPES[type]} ${sender} > ${destination ?? "-"} ${name}${own}${reply}`;
}

/** "method call time=1.2 sender=:1.5 -> destination=:1.6 serial=3 path=/; interface=a.b; member=M" */
function linesOfDbusMonitor(output: string): Line[] {
  return output.split("\n").flatMap((text) => {
    const head =
      /^(method call|method return|error|signal) time=\S+ sender=(\S+) -> destination=(\S+)/.exec(
        text,
      );
    if (head === null) return [];
    const [, type = "", sender, destination = ""] = head;
    const to = destination === "(null" ? "-" : destination;
    const member = /member=(\S+)/.exec(text)?.[1] ?? /error_name=(\S+)/.exec(text)?.[1] ?? "-";
    const serial = / serial=(\d+)/.exec(text)?.[1];
    const own = serial === undefined ? "" : ` ${serial}`;
    const reply = / reply_serial=(\d+)/.exec(text)?.[1];
    const suffix = reply === undefined ? "" : ` to ${reply}`;
    return [`${type.replace("method ", "")} ${sender} > ${to} ${member}${own}${suffix}`];
  });
}

interface BusctlMessage {
  readonly type: string;
  readonly cookie: number;
  readonly sender: string;
  readonly destination?: string;
  readonly member?: string;
  readonly error_name?: string;
  readonly reply_cookie?: number;
}

function linesOfBusctl(output: string): Line[] {
  return output
    .split("\n")
    .filter((text) => text.startsWith("{") && text.endsWith("}"))
    .map((text) => {
      const message = JSON.parse(text) as BusctlMessage; // busctl --json=short writes nothing else
      const { type, sender, destination = "-", member, cookie, reply_cookie } = message;
      const name = member ?? message.error_name ?? "-";
      const reply = reply_cookie === undefined ? "" : ` to ${reply_cookie}`;
      return `${type.replace("method_", "")} ${sender} > ${destination} ${name}${type === "error" ? "" : ` ${cookie}`}${reply}`;
    });
}

/** Waits until a program that says when it has begun, or does not, sees what `by` sends. */
async function begun(program: Running, by: Client): Promise<void> {
  while (!program.hasPrinted(/Begun/)) {
    by.send(signal({ member: "Begun" }));
    await by.drain();
  }
}

/** Traffic of every kind, between two signals that nobody mistakes. */
async function traffic(scene: Scene): Promise<void> {
  const [a, b] = [await scene.client(), await scene.client()];
  a.send(signal({ member: "TrafficBegins" }));
  const serial = a.send(methodCall(b.uniqueName, { signature: "s", arguments: ["question"] }));
  const call = await b.next();
  b.send(methodReturn(call.sender ?? "", call.serial, { signature: "s", arguments: ["answer"] }));
  await a.replyTo(serial);
  a.send(signal({ signature: "a{sv}", arguments: [[["key", { signature: "u", value: 7 }]]] }));
  await a.replyTo(a.send(methodCall("org.example.Missing")));
  await a.requestName("org.example.Programs");
  b.send(methodCall("org.example.Programs"));
  await b.drain();
  await scene.leave(a);
  b.send(signal({ member: "TrafficEnds" }));
  await b.drain();
}

function between(lines: readonly Line[]): Line[] {
  const begin = lines.findIndex((line) => line.includes("TrafficBegins"));
  const end = lines.findIndex((line) => line.includes("TrafficEnds"));
  return lines.slice(begin, end < 0 ? lines.length : end);
}

for (const [program, values, parse] of [
  ["dbus-monitor", ["--session"], linesOfDbusMonitor],
  ["busctl", ["--json=short", "monitor"], linesOfBusctl],
] as const) {
  conformance(`${program} sees what a monitor sees`, { spec: "programs" }, async (scene) => {
    if (!isOnPath(program)) return notRun(`${program} is not installed`);
    const address = program === "busctl" ? [`--address=${scene.address}`] : [];
    const running = startProgram(scene, undefined, program, [...address, ...values]);
    const by = await scene.client();
    await begun(running, by);
    const silent = await monitor(scene);
    await traffic(scene);
    const all = await silent.before(({ member }) => member === "TrafficEnds", "the end");
    await running.printed(/TrafficEnds.*\n/);
    running.stop();
    const { output } = await running.finished;
    const expected = between(all.map(lineOf));
    expect(between(parse(output))).toEqual(expected);
    expect(expected.length).toBeGreaterThan(15);
  });
}

conformance("dbus-monitor shows what matches its rule", { spec: "programs" }, async (scene) => {
  if (!isOnPath("dbus-monitor")) return notRun("dbus-monitor is not installed");
  const rules = ["member='Begun'", "type='signal',member='Wanted'", "member='TrafficEnds'"];
  const running = startProgram(scene, undefined, "dbus-monitor", ["--session", ...rules]);
  const [a, b] = [await scene.client(), await scene.client()];
  await begun(running, a);
  a.send(signal({ member: "Unwanted" }));
  a.send(signal({ member: "Wanted", destination: b.uniqueName }));
  a.send(signal({ member: "TrafficEnds" }));
  const output = await running.printed(/TrafficEnds.*\n/);
  running.stop();
  await running.finished;
  expect(output).toContain(`destination=${b.uniqueName} `);
  expect(output).toContain("member=Wanted");
  expect(output).not.toContain("Unwanted");
});

const SHOWS_ALL = { "dbus-broker": "it does not look at destination in busctl's rules" } as const;

conformance("busctl monitors one peer", { spec: "programs", excused: SHOWS_ALL }, async (scene) => {
  if (!isOnPath("busctl")) return notRun("busctl is not installed");
  const [a, b] = [await scene.client(), await scene.client()];
  const running = startProgram(scene, undefined, "busctl", [
    `--address=${scene.address}`,
    "--json=short",
    "monitor",
    a.uniqueName,
  ]);
  await begun(running, a);
  b.send(signal({ member: "Other" }));
  await b.drain();
  a.send(methodCall(b.uniqueName, { member: "Mine" }));
  await b.first(({ type }) => type === Type.Call);
  const output = await running.printed(/Mine.*\n/);
  running.stop();
  await running.finished;
  expect(output).not.toContain("Other");
});
