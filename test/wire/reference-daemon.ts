/** A real dbus-daemon that is asked which messages it accepts. */

import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { connect, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { MessageFramer } from "../../wire/framing.ts";
import { methodCall } from "../../wire/message.ts";
import { decodeMessage, encodeMessage } from "../../wire/message-codec.ts";
import { DRIVER_NAME, DRIVER_PATH } from "../../wire/protocol.ts";

const HELLO_SERIAL = 1;
/** Higher than any serial that the cases use. */
const PING_SERIAL = 0x7fffffff;

/** Is there a dbus-daemon? If ONEHOP_REQUIRE_PEERS is 1 there must be; otherwise says that it is missing. */
export function hasReferenceDaemon(): boolean {
  if (spawnSync("dbus-daemon", ["--version"]).status === 0) return true;
  const reason = "dbus-daemon is not installed: its strictness is not compared";
  if (process.env["ONEHOP_REQUIRE_PEERS"] === "1") throw new Error(reason);
  console.warn(reason);
  return false;
}

export class ReferenceDaemon {
  readonly #process: ChildProcess;
  readonly #folder: string;
  #peer: Peer | null = null;

  private constructor(daemon: ChildProcess, folder: string) {
    this.#process = daemon;
    this.#folder = folder;
  }

  static async start(): Promise<ReferenceDaemon> {
    const folder = mkdtempSync(join(tmpdir(), "wire-"));
    const address = `--address=unix:path=${join(folder, "bus")}`;
    const daemon = spawn("dbus-daemon", ["--session", "--nofork", "--print-address", address], {
      stdio: ["ignore", "pipe", "ignore"],
    });
    for await (const _address of createInterface({ input: daemon.stdout })) break;
    return new ReferenceDaemon(daemon, folder);
  }

  /** Sends one whole message: does the sender stay connected? */
  async accepts(message: Uint8Array): Promise<boolean> {
    this.#peer ??= await Peer.open(join(this.#folder, "bus"));
    const isAccepted = await this.#peer.survives(message);
    if (!isAccepted) this.#peer = null;
    return isAccepted;
  }

  stop(): void {
    this.#peer?.close();
    this.#process.kill();
    rmSync(this.#folder, { recursive: true });
  }
}

/** A connection that has said Hello. */
class Peer {
  readonly #socket: Socket;
  readonly #framer: MessageFramer = new MessageFramer();
  #isAuthenticated = false;
  #answer: (isAlive: boolean) => void = () => {};

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.on("data", (chunk) => this.#receive(chunk));
    socket.on("close", () => this.#answer(false));
    // A reset follows from a violation as the close does; "close" comes after it.
    socket.on("error", () => {});
  }

  static open(path: string): Promise<Peer> {
    const peer = new Peer(connect(path));
    const uid = Buffer.from(String(process.getuid?.())).toString("hex");
    peer.#socket.write(`\0AUTH EXTERNAL ${uid}\r\nBEGIN\r\n`);
    peer.#socket.write(driverCall("Hello", HELLO_SERIAL));
    return new Promise((resolve, reject) => {
      peer.#answer = (isAlive) => (isAlive ? resolve(peer) : reject(new Error("no Hello")));
    });
  }

  survives(message: Uint8Array): Promise<boolean> {
    this.#socket.write(message);
    this.#socket.write(driverCall("GetId", PING_SERIAL));
    return new Promise((resolve) => {
      this.#answer = resolve;
    });
  }

  close(): void {
    this.#socket.destroy();
  }

  #receive(chunk: Buffer): void {
    let bytes = chunk;
    if (!this.#isAuthenticated) {
      // The line "OK …" is shorter than what the kernel would split.
      this.#isAuthenticated = true;
      bytes = chunk.subarray(chunk.indexOf("\r\n") + 2);
    }
    for (const message of this.#framer.push(bytes)) {
      const { replySerial } = decodeMessage(message);
      if (replySerial === HELLO_SERIAL || replySerial === PING_SERIAL) this.#answer(true);
    }
  }
}

function driverCall(member: string, serial: number): Uint8Array {
  const call = methodCall({
    path: DRIVER_PATH,
    interface: DRIVER_NAME,
    member,
    destination: DRIVER_NAME,
  });
  return encodeMessage(call, serial);
}
