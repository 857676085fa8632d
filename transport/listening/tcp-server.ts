/**
 * Listening on TCP, by node:net: there are no credentials and no descriptors for which the addon would
 * be needed.
 *
 * https://dbus.freedesktop.org/doc/dbus-specification.html#transports-tcp-sockets
 */

import { ADDRCONFIG } from "node:dns";
import { lookup } from "node:dns/promises";
import { once } from "node:events";
import { createServer, type ListenOptions, type Server } from "node:net";
import { type Address, addressOf, type ListenTarget } from "../address.ts";
import { errorNameOf, failure } from "./listen-error.ts";
import { NonceFile } from "./nonce.ts";

/** Servers on one port, one for each address of the host. */
export interface TcpServers {
  /** What clients connect to, with the port that was taken. */
  readonly address: Address;
  readonly servers: readonly Server[];
  /** What clients have to send first, or null. */
  readonly nonce: Uint8Array | null;
  /** Stops listening and removes the nonce's file. */
  close(): void;
}

type TcpTarget = Extract<ListenTarget, { kind: "tcp" }>;

interface Endpoint {
  readonly host: string;
  readonly family: number;
  /** Is there another one for the other family? */
  readonly isOneOfTwo: boolean;
}

/** @throws ListenError */
export async function openTcpServers(
  address: Address,
  target: TcpTarget,
  backlog: number,
): Promise<TcpServers> {
  const endpoints = await endpointsOf(address, target);
  const servers: Server[] = [];
  let { port } = target;
  let family = 0;
  let trouble = "";
  for (const { host, family: ofHost, isOneOfTwo } of endpoints) {
    const server = await listen({ host, port, backlog, ipv6Only: isOneOfTwo });
    if (typeof server === "string") {
      // The other family may be switched off, or have its port taken by the first one: one will do.
      trouble = `cannot bind ${host} port ${port}: ${server}`;
      continue;
    }
    if (servers.length === 0) family = ofHost;
    servers.push(server);
    port = portOf(server);
  }
  if (servers.length === 0) throw failure(address, trouble, null);
  const close = (): void => {
    for (const server of servers) server.close();
  };
  const properties = {
    host: target.host,
    port: String(port),
    family: family === 6 ? "ipv6" : "ipv4",
  };
  if (!target.hasNonce) {
    return { address: addressOf("tcp", properties), servers, nonce: null, close };
  }
  try {
    const file = new NonceFile();
    return {
      address: addressOf("nonce-tcp", { ...properties, noncefile: file.path }),
      servers,
      nonce: file.nonce,
      close: () => {
        close();
        file.remove();
      },
    };
  } catch (error) {
    close();
    throw failure(address, "cannot make the file of the nonce", errorNameOf(error));
  }
}

/** A server on a listening socket that was passed to us; the address has its family first, as dbus-daemon's. */
export async function adoptTcpServer(address: Address, descriptor: number): Promise<TcpServers> {
  const server = await listen({ fd: descriptor });
  if (typeof server === "string") {
    throw failure(address, `cannot listen on file descriptor ${descriptor}`, server);
  }
  const at = server.address();
  if (at === null || typeof at === "string") {
    server.close();
    throw failure(address, `file descriptor ${descriptor} is no socket with a name`, null);
  }
  const family = at.family === "IPv6" ? "ipv6" : "ipv4";
  return {
    address: addressOf("tcp", { family, host: at.address, port: String(at.port) }),
    servers: [server],
    nonce: null,
    close: () => server.close(),
  };
}

async function endpointsOf(address: Address, target: TcpTarget): Promise<readonly Endpoint[]> {
  const { bind, family } = target;
  if (bind === null) {
    return [
      ...(family === 6 ? [] : [{ host: "0.0.0.0", family: 4, isOneOfTwo: false }]),
      ...(family === 4 ? [] : [{ host: "::", family: 6, isOneOfTwo: family === 0 }]),
    ];
  }
  try {
    const found = await lookup(bind, { all: true, family, hints: ADDRCONFIG });
    const hosts = new Map(found.map(({ address: host, family: ofHost }) => [host, ofHost]));
    return [...hosts].map(([host, ofHost]) => ({ host, family: ofHost, isOneOfTwo: false }));
  } catch (error) {
    throw failure(address, `cannot find the host "${bind}"`, errorNameOf(error));
  }
}

/** The listening server, or the name of the error. */
async function listen(options: ListenOptions | { readonly fd: number }): Promise<Server | string> {
  const server = createServer();
  server.listen(options);
  try {
    await once(server, "listening");
    return server;
  } catch (error) {
    return errorNameOf(error);
  }
}

function portOf(server: Server): number {
  const at = server.address();
  return at === null || typeof at === "string" ? 0 : at.port;
}
