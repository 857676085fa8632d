/** Unix datagram sockets, which Node does not have: Python receives for the tests. */

import { type ChildProcess, spawn } from "node:child_process";
import { createInterface } from "node:readline";

/** Receives while it is told to, so that its queue can be made to be full. */
const program = `
import json, socket, struct, sys
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
name = sys.argv[1]
s.bind("\\0" + name[1:] if name.startswith("@") else name)
print(json.dumps({"bound": True}), flush=True)
for line in sys.stdin:
    data, control, _, _ = s.recvmsg(65536, socket.CMSG_SPACE(12))
    pid = struct.unpack("3i", control[0][2])[0]
    print(json.dumps({"text": data.decode("latin1"), "pid": pid}), flush=True)
`;

/** What came, and from which process. Bytes are read as Latin-1. */
export interface Datagram {
  readonly text: string;
  readonly pid: number;
}

/** A socket that takes datagrams; `name` is a path, or begins with `@`. */
export class DatagramReceiver {
  readonly #child: ChildProcess;
  readonly #lines: AsyncIterator<string>;

  private constructor(name: string) {
    this.#child = spawn("python3", ["-c", program, name], { stdio: ["pipe", "pipe", "inherit"] });
    const { stdout } = this.#child;
    if (stdout === null) throw new Error("a pipe was asked for");
    this.#lines = createInterface(stdout)[Symbol.asyncIterator]();
  }

  static async bind(name: string): Promise<DatagramReceiver> {
    const receiver = new DatagramReceiver(name);
    await receiver.#next();
    return receiver;
  }

  /** The next one, whenever it comes. */
  receive(): Promise<Datagram> {
    this.#child.stdin?.write("next\n");
    return this.#next();
  }

  close(): void {
    this.#child.kill("SIGKILL");
  }

  async #next(): Promise<Datagram> {
    const { done, value } = await this.#lines.next();
    if (done === true) throw new Error("the receiver has ended");
    return JSON.parse(value);
  }
}
