/** A dbus-daemon of our own to ask for its opinion of match rules, and connections to it. */

import { Buffer } from "node:buffer";
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { Arguments } from "../../wire/args.ts";
import { Header } from "../../wire/header.ts";
import { Strings } from "../../wire/intern.ts";
import { Memory } from "../../wire/memory.ts";
import { DRIVER_NAME, DRIVER_PATH, MessageType } from "../../wire/protocol.ts";
import { type RawArgument, type RawMessage, rawMessage } from "./raw-message.ts";

/** Is the program there? Says so if it is not; an error if it has to be. */
export function hasReferenceDaemon(): boolean {
  if (spawnSync("dbus-daemon", ["--version"]).status === 0) return true;
  const reason = "dbus-daemon is not installed";
  if (process.env["ONEHOP_REQUIRE_PEERS"] === "1") throw new Error(reason);
  process.stderr.write(`not run: comparison of match rules with the reference: ${reason}\n`);
  return false;
}

export class ReferenceDaemon {
  readonly #process: ChildProcess;
  readonly #path: string;

  private constructor(process: ChildProcess, path: string) {
    this.#process = process;
    this.#path = path;
  }

  static async start(): Promise<ReferenceDaemon> {
    const daemon = spawn(
      "dbus-daemon",
      ["--session", "--nofork", "--nopidfile", "--print-address", "--address=unix:tmpdir=/tmp"],
      { stdio: ["ignore", "pipe", "ignore"] },
    );
    const [printed] = await once(daemon.stdout, "data");
    const path = /unix:(path|abstract)=([^,\n]+)/.exec(String(printed));
    if (path === null) throw new Error(`dbus-daemon printed the address ${printed}`);
    return new ReferenceDaemon(daemon, `${path[1] === "abstract" ? "\0" : ""}${path[2]}`);
  }

  async connect(): Promise<ReferencePeer> {
    const socket = connect(this.#path);
    const uid = Buffer.from(String(process.getuid?.() ?? 0)).toString("hex");
    socket.write(`\0AUTH EXTERNAL ${uid}\r\nBEGIN\r\n`);
    const peer = new ReferencePeer(socket);
    await peer.hello();
    return peer;
  }

  async stop(): Promise<void> {
    this.#process.kill();
    await once(this.#process, "exit");
  }
}

/** What a peer saw: enough for these tests. */
export interface Received {
  readonly type: number;
  readonly member: string;
  readonly errorName: string;
  readonly replySerial: number;
  readonly text: string;
}

export class ReferencePeer {
  name = "";
  readonly #socket: Socket;
  readonly #replies: Map<number, (reply: Received) => void> = new Map();
  #signals: Received[] = [];
  #input: Buffer = Buffer.alloc(0);
  #isAuthenticated = false;
  #serial = 0;

  constructor(socket: Socket) {
    this.#socket = socket;
    socket.on("data", (chunk: Buffer) => this.#read(chunk));
  }

  async hello(): Promise<void> {
    this.name = (await this.call("Hello")).text;
  }

  /** Calls a method of the bus. */
  call(member: string, ...args: RawArgument[]): Promise<Received> {
    const serial = this.send({
      type: MessageType.MethodCall,
      path: DRIVER_PATH,
      interface: DRIVER_NAME,
      destination: DRIVER_NAME,
      member,
      args,
    });
    return new Promise((resolve) => this.#replies.set(serial, resolve));
  }

  send(message: Omit<RawMessage, "serial">): number {
    const serial = ++this.#serial;
    this.#socket.write(rawMessage({ ...message, serial }));
    return serial;
  }

  /** All but replies and the bus's own signals that arrived until now; a call to the bus is the fence. */
  async received(): Promise<Received[]> {
    await this.call("GetId");
    const signals = this.#signals.filter(({ member }) => !/^Name(Acquired|Lost)$/.test(member));
    this.#signals = [];
    return signals;
  }

  close(): void {
    this.#socket.destroy();
  }

  #read(chunk: Buffer): void {
    this.#input = Buffer.concat([this.#input, chunk]);
    if (!this.#isAuthenticated) {
      const end = this.#input.indexOf("\r\n");
      if (end < 0) return;
      this.#isAuthenticated = true;
      this.#input = this.#input.subarray(end + 2);
    }
    while (this.#input.length >= 16) {
      const fields = this.#input.readUInt32LE(12);
      const length = 16 + ((fields + 7) & ~7) + this.#input.readUInt32LE(4);
      if (this.#input.length < length) return;
      const received = describe(this.#input.subarray(0, length));
      this.#input = this.#input.subarray(length);
      const answer = this.#replies.get(received.replySerial);
      if (answer === undefined) this.#signals.push(received);
      else answer(received);
    }
  }
}

function describe(bytes: Uint8Array): Received {
  const strings = new Strings();
  const memory = Memory.of(bytes);
  const header = new Header(memory);
  header.parse(strings, memory, 0);
  const args = new Arguments(header);
  args.begin(header);
  const isText = args.type(0) !== 0;
  const at = args.offset(0);
  return {
    type: header.type,
    member: strings.textOf(header.member),
    errorName: strings.textOf(header.errorName),
    replySerial: header.replySerial,
    text: isText ? Buffer.from(bytes.subarray(at, at + args.length(0))).toString() : "",
  };
}
