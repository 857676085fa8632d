/** The peers of one bus with small limits: each step, and in words what came of it. */

import { type Arrival, Client } from "../conformance/support/client.ts";
import { openSocket } from "../conformance/support/link.ts";
import { methodCall, methodReturn, signal } from "../conformance/support/messages.ts";
import { Type } from "../conformance/support/wire.ts";
import type { Step } from "./limit-cases.ts";

interface HeldCall {
  readonly caller: number;
  readonly callee: number;
  readonly serial: number;
}

export class LimitedWorld {
  readonly #address: string;
  /** Sees who has gone, and has no other part in anything. */
  readonly #observer: Client;
  readonly #peers: Map<number, Client> = new Map();
  /** Calls that wait for an answer, the oldest first. */
  #held: HeldCall[] = [];

  private constructor(address: string, observer: Client) {
    this.#address = address;
    this.#observer = observer;
  }

  static async at(address: string): Promise<LimitedWorld> {
    const observer = await new Client().open((events) => openSocket(address, events));
    await observer.addMatch("member='NameOwnerChanged'");
    return new LimitedWorld(address, observer);
  }

  async take(step: Step): Promise<string> {
    const peer = this.#peers.get(step.peer);
    if (step.does === "connect") return peer === undefined ? this.#connect(step.peer) : "-";
    if (peer === undefined) return "-";
    switch (step.does) {
      case "leave":
        peer.close();
        return this.#gone(step.peer, peer);
      case "own":
        return this.#told(
          await peer.call("RequestName", { signature: "su", arguments: [step.name, 0] }),
        );
      case "release":
        return this.#told(
          await peer.call("ReleaseName", { signature: "s", arguments: [step.name] }),
        );
      case "match":
        return this.#told(await peer.call("AddMatch", { signature: "s", arguments: [step.rule] }));
      case "unmatch":
        return this.#told(
          await peer.call("RemoveMatch", { signature: "s", arguments: [step.rule] }),
        );
      case "call":
        return this.#call(step.peer, peer, step.callee);
      case "answer":
        return this.#answer(step.peer, peer);
      case "say":
        return this.#say(step.peer, peer, step.byteLength);
    }
  }

  end(): void {
    for (const client of [this.#observer, ...this.#peers.values()]) client.close();
  }

  async #connect(number: number): Promise<string> {
    const client = new Client();
    await client.open((events) => openSocket(this.#address, events), { until: "begin" });
    const reply = await client.call("Hello");
    if (reply.type === Type.Error) {
      client.close();
      return this.#told(reply);
    }
    client.uniqueName = String(reply.arguments[0]);
    this.#peers.set(number, client);
    await client.drain();
    return "connected";
  }

  async #gone(number: number, peer: Client): Promise<string> {
    this.#peers.delete(number);
    this.#held = this.#held.filter(({ caller, callee }) => caller !== number && callee !== number);
    await this.#observer.first(
      ({ member, arguments: [name, , owner] }) =>
        member === "NameOwnerChanged" && name === peer.uniqueName && owner === "",
      `the end of ${peer.uniqueName}`,
    );
    return "gone";
  }

  /** A call that is not answered yet: only an error comes at once. */
  async #call(number: number, peer: Client, calleeNumber: number): Promise<string> {
    const callee = this.#peers.get(calleeNumber);
    if (callee === undefined) return "-";
    const serial = peer.send(methodCall(callee.uniqueName));
    const reply = (await peer.drain()).find(({ replySerial }) => replySerial === serial);
    if (reply !== undefined) return this.#told(reply);
    this.#held.push({ caller: number, callee: calleeNumber, serial });
    return "waits";
  }

  async #answer(number: number, peer: Client): Promise<string> {
    const call = this.#held.find(({ callee }) => callee === number);
    const caller = call === undefined ? undefined : this.#peers.get(call.caller);
    if (call === undefined || caller === undefined) return "-";
    this.#held = this.#held.filter((other) => other !== call);
    peer.send(methodReturn(caller.uniqueName, call.serial));
    await peer.drain();
    const reply = (await caller.drain()).find(({ replySerial }) => replySerial === call.serial);
    return reply === undefined ? "lost" : "answered";
  }

  /** A broadcast of about that length. */
  async #say(number: number, peer: Client, byteLength: number): Promise<string> {
    peer.send(signal({ signature: "s", arguments: ["x".repeat(byteLength)] }));
    try {
      await peer.drain();
      return "said";
    } catch {
      return `disconnected, ${await this.#gone(number, peer)}`;
    }
  }

  /** An error with its words, or a result; unique names are not compared. */
  #told({ type, errorName, arguments: [first] }: Arrival): string {
    if (type !== Type.Error) return `ok ${first ?? ""}`;
    return `${errorName}: ${String(first).replaceAll(/:1\.\d+/g, ":1.N")}`;
  }
}
