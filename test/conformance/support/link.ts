/** The two ways a client of the suite reaches a bus: a socket of Node's, or a python3 process that can pass descriptors. */

import { type ChildProcess, spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { connect, type NetConnectOpts, type Socket } from "node:net";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { PYTHON } from "./programs.ts";

/** A descriptor that arrived: what could be read from its beginning, and which file it is. */
export interface PassedFile {
  readonly content: string;
  readonly identity: string;
}

export interface LinkEvents {
  onBytes(bytes: Uint8Array, files: readonly PassedFile[]): void;
  onClosed(): void;
}

/** Bytes to and from the bus; `files` are the contents of descriptors that travel with the first byte. */
export interface Link {
  /** The process that the bus sees at this end. */
  readonly processId: number;
  send(bytes: Uint8Array, files?: readonly string[]): void;
  /** Calls back once everything handed to `send` has left for the kernel. */
  flushed(): Promise<void>;
  /** Leaves what comes from now on in the socket. */
  stopReading(): void;
  close(): void;
}

/** The socket path of a unix address, as node:net wants it. */
export function socketPath(address: string): string {
  const first = address.split(";")[0] ?? "";
  const pairs = first
    .replace(/^unix:/, "")
    .split(",")
    .map((pair) => pair.split("=", 2).map((part) => decodeURIComponent(part ?? "")));
  for (const [key, value] of pairs) {
    if (key === "path") return value ?? "";
    if (key === "abstract") return `\0${value}`;
  }
  throw new Error(`only unix:path= and unix:abstract= are understood, not "${address}"`);
}

/** What node:net connects to for an address, and the nonce that has to be sent first. */
function socketTarget(address: string): { to: NetConnectOpts; nonce: Uint8Array } {
  const nonce = new Uint8Array();
  if (!/^(nonce-)?tcp:/.test(address)) return { to: { path: socketPath(address) }, nonce };
  const given = (key: string): string =>
    decodeURIComponent(new RegExp(`[:,]${key}=([^,;]*)`).exec(address)?.[1] ?? "");
  const to = { host: given("host"), port: Number(given("port")) };
  const file = given("noncefile");
  return { to, nonce: file === "" ? nonce : readFileSync(file) };
}

/** A plain connection of this process. */
export function openSocket(address: string, events: LinkEvents): Promise<Link> {
  return new Promise((resolve, reject) => {
    const { to, nonce } = socketTarget(address);
    const socket: Socket = connect(to);
    socket.setNoDelay(true);
    socket.write(nonce);
    socket.on("data", (bytes) => events.onBytes(bytes, []));
    socket.on("error", reject);
    socket.on("close", () => events.onClosed());
    socket.on("connect", () =>
      resolve({
        processId: process.pid,
        send: (bytes) => {
          if (!socket.destroyed) socket.write(bytes);
        },
        flushed: () => new Promise((done) => socket.write("", () => done())),
        stopReading: () => socket.pause(),
        close: () => socket.destroy(),
      }),
    );
  });
}

export interface Identity {
  readonly uid: number;
  readonly gid: number;
  readonly groups: readonly number[];
}

interface Report {
  readonly event: "connected" | "bytes" | "flushed" | "closed" | "failed";
  readonly bytes?: string;
  readonly files?: readonly PassedFile[];
  readonly reason?: string;
}

/** A connection of a python3 process, as another user if `identity` says so. */
export function openPeer(
  address: string,
  events: LinkEvents,
  identity: Identity | null,
): Promise<Link> {
  return new Promise((resolve, reject) => {
    const peer: ChildProcess = spawn(PYTHON, ["-IS", join(import.meta.dirname, "peer.py")], {
      stdio: ["pipe", "pipe", "inherit"],
    });
    const { stdin, stdout } = peer;
    if (stdin === null || stdout === null) throw new Error("the peer has no pipes");
    const awaitingFlush: (() => void)[] = [];
    let isClosed = false;
    const command = (line: object): void => {
      if (stdin.writable) stdin.write(`${JSON.stringify(line)}\n`);
    };
    const closed = (): void => {
      if (isClosed) return;
      isClosed = true;
      for (const done of awaitingFlush) done();
      events.onClosed();
    };
    stdin.on("error", closed);
    peer.on("error", reject);
    peer.on("exit", closed);
    createInterface({ input: stdout }).on("line", (line) => {
      const report = JSON.parse(line) as Report; // peer.py writes nothing else
      switch (report.event) {
        case "connected":
          return resolve({
            processId: peer.pid ?? 0,
            send: (bytes, files = []) =>
              command({ send: Buffer.from(bytes).toString("base64"), files }),
            flushed: () =>
              new Promise((done) => {
                awaitingFlush.push(done);
                command({ flush: true });
              }),
            stopReading: () => {
              throw new Error("peer.py always reads: use a socket of this process");
            },
            close: () => stdin.end(),
          });
        case "bytes":
          return events.onBytes(Buffer.from(report.bytes ?? "", "base64"), report.files ?? []);
        case "flushed":
          return awaitingFlush.shift()?.();
        case "closed":
          return closed();
        case "failed":
          return reject(new Error(`peer.py: ${report.reason}`));
      }
    });
    command({ connect: socketPath(address), identity });
  });
}
