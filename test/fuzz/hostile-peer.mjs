/** A client of the bus that does its handshake well; what it does afterwards is up to others. */

import { readdirSync, readFileSync } from "node:fs";
import { connect as connectSocket } from "node:net";
import { cut, fieldsOf, message, text } from "./raw-message.mjs";

const BUS = "org.freedesktop.DBus";

/** Peers of the bus at `path`, of the user that this process is. */
export function peersOf(path) {
  return class Peer {
    /** All that are connected, for the end: an attack that is cut short leaves some behind. */
    static connected = new Set();
    isOpen = true;
    name = "";
    onMessage = () => {};
    #serial = 0;
    #waiting = new Map();
    #input = Buffer.alloc(0);

    static async open(withHello = true) {
      const peer = new Peer();
      await peer.#open();
      if (withHello) peer.name = text((await peer.call("Hello")).body);
      return peer;
    }

    async #open() {
      this.socket = connectSocket(path);
      Peer.connected.add(this);
      this.closed = new Promise((done) => this.socket.once("close", done));
      this.socket.on("error", () => {});
      this.socket.once("close", () => {
        this.isOpen = false;
        Peer.connected.delete(this);
        for (const { reject } of this.#waiting.values()) reject(new Error("disconnected"));
        this.#waiting.clear();
      });
      const identity = Buffer.from(String(process.getuid())).toString("hex");
      this.socket.write(`\0AUTH EXTERNAL ${identity}\r\nNEGOTIATE_UNIX_FD\r\nBEGIN\r\n`);
      let lines = 2;
      let greeting = Buffer.alloc(0);
      await Promise.race([
        this.closed,
        new Promise((done) => {
          const read = (chunk) => {
            greeting = Buffer.concat([greeting, chunk]);
            while (lines > 0 && greeting.includes("\r\n")) {
              greeting = greeting.subarray(greeting.indexOf("\r\n") + 2);
              lines--;
            }
            if (lines > 0) return;
            this.socket.off("data", read);
            this.socket.on("data", (bytes) => this.#read(bytes));
            done();
          };
          this.socket.on("data", read);
        }),
      ]);
    }

    /** Sends a message made of raw-message.mjs's parts; returns its serial. */
    send(parts) {
      const serial = parts.serial ?? ++this.#serial;
      this.write(message({ ...parts, serial }));
      return serial;
    }

    write(bytes) {
      if (this.isOpen) this.socket.write(bytes);
    }

    call(member, signature = "", body = Buffer.alloc(0), destination = BUS, rest = {}) {
      return new Promise((resolve, reject) => {
        if (!this.isOpen) return reject(new Error("disconnected"));
        const parts = {
          type: 1,
          path: "/",
          interface: BUS,
          member,
          destination,
          signature,
          body,
          ...rest,
        };
        this.#waiting.set(this.send(parts), { resolve, reject, destination });
      });
    }

    #read(bytes) {
      this.#input = this.#input.length > 0 ? Buffer.concat([this.#input, bytes]) : bytes;
      this.#input = cut(this.#input, (each) => {
        const fields = fieldsOf(each);
        const waiting =
          fields.type === 2 || fields.type === 3
            ? this.#waiting.get(fields.replySerial)
            : undefined;
        if (waiting !== undefined) {
          this.#waiting.delete(fields.replySerial);
          waiting.resolve(fields);
        } else this.onMessage(fields);
      });
    }
  };
}

/** A string as in a body, followed by so many bytes that its length is a multiple of `padTo`. */
export function string(value, padTo = 1) {
  const bytes = Buffer.from(value);
  const whole = Buffer.alloc(Math.ceil((bytes.length + 5) / padTo) * padTo);
  whole.writeUInt32LE(bytes.length);
  bytes.copy(whole, 4);
  return whole;
}

/** Open descriptors and resident memory of a process. */
export function usage(pid) {
  const status = readFileSync(`/proc/${pid}/status`, "utf8");
  return {
    fds: readdirSync(`/proc/${pid}/fd`).length,
    mib: Number(/VmRSS:\s+(\d+)/.exec(status)[1]) >> 10,
  };
}
