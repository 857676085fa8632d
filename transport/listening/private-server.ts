/**
 * Listening with node:net, where there is no addon.
 *
 * node:net cannot ask the kernel who connects, so the file system has to keep everybody else out: the
 * socket lies in a directory that is ours and closed to others.
 */

import { once } from "node:events";
import { mkdtempSync, rmdirSync, statSync } from "node:fs";
import { connect, createServer, type Server } from "node:net";
import { dirname, join, resolve } from "node:path";
import type { Address, ListenTarget } from "../address.ts";
import { errorNameOf, failure } from "./listen-error.ts";
import { checkLength, makeWay, type TakeoverOptions } from "./socket-name.ts";

/** A server on a path of its own. */
export interface PrivateServer {
  readonly path: string;
  readonly server: Server;
  close(): void;
}

/** @throws ListenError */
export async function openPrivateServer(
  address: Address,
  target: ListenTarget,
  options: TakeoverOptions,
  backlog: number,
): Promise<PrivateServer> {
  let path: string;
  let directory: string | null = null;
  switch (target.kind) {
    case "path":
      path = target.path;
      checkPrivacy(address, dirname(resolve(path)));
      break;
    case "directory":
      directory = makeDirectory(address, target.directory);
      path = join(directory, "bus");
      break;
    case "tcp":
      throw new Error("TCP has servers of its own");
    case "abstract":
    case "systemd":
      throw failure(address, "the native addon is needed to know who connects", null);
  }
  try {
    checkLength(address, path);
    const server = await bindServer(address, path, options, backlog);
    return privateServer(path, server, directory);
  } catch (error) {
    if (directory !== null) rmdirSync(directory);
    throw error;
  }
}

async function bindServer(
  address: Address,
  path: string,
  options: TakeoverOptions,
  backlog: number,
): Promise<Server> {
  const first = await listenServer(path, backlog);
  if (typeof first !== "string") return first;
  if (first !== "EADDRINUSE") throw failure(address, `cannot bind ${path}`, first);
  const listener = await probeStream(path);
  makeWay(address, path, options, () => listener);
  const second = await listenServer(path, backlog);
  if (typeof second !== "string") return second;
  throw failure(address, `cannot bind ${path}`, second);
}

/** The listening server, or the name of the error. */
async function listenServer(path: string, backlog: number): Promise<Server | string> {
  const server = createServer();
  server.listen({ path, backlog });
  try {
    await once(server, "listening");
    return server;
  } catch (error) {
    return errorNameOf(error);
  }
}

function privateServer(path: string, server: Server, directory: string | null): PrivateServer {
  return {
    path,
    server,
    close: () => {
      if (!server.listening) return;
      // libuv unlinks the path, whatever lies there by now; nobody but us can put anything there.
      server.close();
      if (directory !== null) rmdirSync(directory);
    },
  };
}

/** Like `probe`, without a way to learn more than whether there is somebody. */
async function probeStream(path: string): Promise<string | null> {
  const socket = connect(path);
  try {
    await once(socket, "connect");
    return "somebody";
  } catch (error) {
    const name = errorNameOf(error);
    return name === "ECONNREFUSED" || name === "ENOENT" ? null : `somebody unknown (${name})`;
  } finally {
    socket.destroy();
  }
}

function checkPrivacy(address: Address, directory: string): void {
  const status = statSync(directory, { throwIfNoEntry: false });
  if (status === undefined) throw failure(address, `cannot bind in ${directory}`, "ENOENT");
  if ((status.mode & 0o077) === 0 && status.uid === process.geteuid?.()) return;
  const reason = `without the native addon, ${directory} has to be ours and closed to others (mode 0700)`;
  throw failure(address, reason, null);
}

function makeDirectory(address: Address, parent: string): string {
  try {
    return mkdtempSync(join(parent, "dbus-"));
  } catch (error) {
    throw failure(address, `cannot make a directory in ${parent}`, errorNameOf(error));
  }
}
