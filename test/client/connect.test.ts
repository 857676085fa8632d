/** Where the client connects to, and what it makes of servers that are no good. */

import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { connect as connectSocket, createServer, type Server, type Socket } from "node:net";
import { join } from "node:path";
import { setImmediate as turn } from "node:timers/promises";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "@jest/globals";
import { type StartedBus, startBus } from "../../bus/start-bus.ts";
import { sessionBusAddresses, systemBusAddresses } from "../../client/bus-addresses.ts";
import { type ConnectOptions, connect } from "../../client/connect.ts";
import { addressOf, formatAddress } from "../../transport/address.ts";
import { ConnectError } from "../../transport/connect.ts";
import { methodReturn, signal } from "../../wire/message.ts";
import { encodeMessage } from "../../wire/message-codec.ts";
import { openDescriptors, openedSince } from "../support/descriptors.ts";
import { addonOrNull, inScratch } from "../transport/scratch.ts";
import { DRIVER, failureOf, PLACE } from "./support.ts";

const GUID = "00112233445566778899aabbccddeeff";
const addon = addonOrNull("connecting with the addon");
const ways = addon === null ? (["none"] as const) : (["required", "none"] as const);

let bus: StartedBus;
beforeAll(async () => {
  bus = await startBus({ listen: ["unix:tmpdir=/tmp"] });
});
afterAll(() => bus.stop());

const servers: { server: Server; sockets: Socket[] }[] = [];
afterEach(closeServers);

async function closeServers(): Promise<void> {
  for (const { server, sockets } of servers.splice(0)) {
    for (const socket of sockets) socket.destroy();
    server.close();
    await once(server, "close");
  }
}

/** A server that does with each connection what it is told. */
async function serve(at: string | number, served: (socket: Socket) => void): Promise<Server> {
  const sockets: Socket[] = [];
  const server = createServer((socket) => {
    sockets.push(socket);
    socket.on("error", () => {});
    served(socket);
  });
  servers.push({ server, sockets });
  server.listen(typeof at === "number" ? { port: at, host: "127.0.0.1" } : { path: at });
  await once(server, "listening");
  return server;
}

/** Says `greeting`, and Hello's reply if the client gets as far. */
async function speak(
  path: string,
  greeting: string,
  behind: Uint8Array = Buffer.of(),
): Promise<void> {
  await serve(path, (socket) => {
    socket.once("data", (said) => {
      const agreement = said.includes("NEGOTIATE_UNIX_FD") ? "AGREE_UNIX_FD\r\n" : "";
      const hello = methodReturn({ serial: 1, sender: ":1.0" }, { signature: "s", body: [":1.0"] });
      socket.write(`DATA\r\n${greeting}${agreement}`);
      socket.write(Buffer.concat([encodeMessage(hello, 1), behind]));
    });
  });
}

async function reasonsOf(address: string, options: ConnectOptions = {}): Promise<string[]> {
  const error: unknown = await connect(address, options).catch((thrown: unknown) => thrown);
  if (!(error instanceof ConnectError)) throw error;
  for (const { address: tried, reason } of error.attempts) {
    expect(error.message).toContain(`${tried}: ${reason}`);
  }
  return error.attempts.map(({ reason }) => reason);
}

describe.each(ways)("with addon: %s", (way) => {
  const options = { addon: way };

  test("the first bus that lets us in is taken; what became of the others is told", async () => {
    await inScratch(async (directory) => {
      const watcher = await connect(bus.address, options);
      const before = openDescriptors();
      await speak(join(directory, "rejects"), "REJECTED EXTERNAL\r\n");
      await speak(join(directory, "other"), `OK ${GUID}\r\n`);
      const list =
        `unix:path=${directory}/none;unix:path=${directory}/rejects;` +
        `unix:path=${directory}/other,guid=${"0".repeat(32)}`;
      const client = await connect(`${list};${bus.address}`, options);
      expect(client.guid).toBe(bus.guid);
      await client.close();
      const reasons = await reasonsOf(list, options);
      expect(reasons[0]).toBe("ENOENT");
      expect(reasons[1]).toContain("the server rejected the user");
      expect(reasons[2]).toContain(`the server has GUID ${GUID}`);
      await closeServers();
      // Sockets close a little later; one that is forgotten is waited for until the test's time is up.
      while (openedSince(before).length > 0) await turn();
      await watcher.close();
    });
  });

  test("tcp and nonce-tcp lead to a bus as well", async () => {
    await inScratch(async (directory) => {
      const path = new URL(`unix://${/path=([^,]*)/.exec(bus.address)?.[1]}`).pathname;
      const nonce = Buffer.from("0123456789abcdef");
      writeFileSync(join(directory, "nonce"), nonce);
      const plain = await serve(0, (socket) => {
        const inner = connectSocket(path);
        inner.on("close", () => socket.destroy());
        socket.on("close", () => inner.destroy());
        socket.pipe(inner).pipe(socket);
      });
      const strict = await serve(0, (socket) => {
        socket.once("data", (chunk) => {
          const inner = connectSocket(path);
          socket.on("close", () => inner.destroy());
          if (!chunk.subarray(0, 16).equals(nonce)) socket.destroy();
          inner.write(chunk.subarray(16));
          socket.pipe(inner).pipe(socket);
        });
      });
      const address = (server: Server, transport: string, more: object) => {
        const at = server.address();
        const port = typeof at === "object" ? `${at?.port}` : "";
        return formatAddress(addressOf(transport, { host: "127.0.0.1", port, ...more }));
      };
      const nonceFile = { noncefile: join(directory, "nonce"), family: "ipv4" };
      for (const each of [address(plain, "tcp", {}), address(strict, "nonce-tcp", nonceFile)]) {
        const client = await connect(each, options);
        expect([client.guid, client.passesDescriptors]).toEqual([bus.guid, false]);
        await client.close();
      }
      const missing = address(strict, "nonce-tcp", { noncefile: join(directory, "no") });
      expect(await reasonsOf(missing, options)).toEqual(["cannot read the nonce file: ENOENT"]);
    });
  });

  test("a server that says nothing is given up: at the deadline, or when told", async () => {
    await inScratch(async (directory) => {
      await serve(join(directory, "mute"), () => {});
      const address = `unix:path=${directory}/mute`;
      expect(await reasonsOf(address, { ...options, timeoutMs: 10 })).toEqual([
        "no reply within 10 ms",
      ]);
      const controller = new AbortController();
      const waiting = reasonsOf(address, { ...options, signal: controller.signal });
      setImmediate(() => controller.abort());
      expect(await waiting).toEqual([expect.stringContaining("aborted")]);
      const aborted = await reasonsOf(address, { ...options, signal: controller.signal });
      expect(aborted).toEqual(["connecting was aborted"]);
    });
  });

  test("a server that leaves, or talks nonsense, is told apart", async () => {
    await inScratch(async (directory) => {
      await serve(join(directory, "leaves"), (socket) => socket.end());
      await serve(join(directory, "nonsense"), (socket) => socket.write("HTTP/1.1 400\r\n"));
      const list = `unix:path=${directory}/leaves;unix:path=${directory}/nonsense`;
      expect(await reasonsOf(list, options)).toEqual([
        "the bus closed the connection",
        expect.stringContaining("HTTP/1.1 400"),
      ]);
    });
  });

  test.each([
    [
      "a broken header",
      Buffer.from("l\x04\x01\x02\0\0\0\0\x01\0\0\0\0\0\0\0", "latin1"),
      /version is not 1.*byte 3/,
    ],
    ["a broken body", brokenBody(), /boolean.*byte \d+ of the message/],
    ["no message", Buffer.alloc(16), /neither 'l' nor 'B'.*byte 0/],
    ["descriptors that have not come", promised(), /not all of 1 file descriptors/],
  ])("%s ends the connection with what was wrong and where", async (_name, bytes, reason) => {
    await inScratch(async (directory) => {
      await speak(join(directory, "bus"), `OK ${GUID}\r\n`, bytes);
      const client = await connect(`unix:path=${directory}/bus`, options);
      const error = await client.closed;
      expect(error?.code).toBe("ONEHOP_DISCONNECTED");
      expect(error?.text).toMatch(reason);
      const later = await failureOf(client.call({ ...DRIVER, member: "GetId" }));
      expect(later.text).toBe(error?.text);
    });
  });

  test("header fields of a later protocol are ignored", async () => {
    await inScratch(async (directory) => {
      const [first, second] = [withUnknownField("first"), withUnknownField("second")];
      const received = new Promise((resolve) => {
        void serve(join(directory, "bus"), (socket) => {
          socket.on("data", (said) => {
            if (said.includes("BEGIN")) {
              const agreement = said.includes("NEGOTIATE_UNIX_FD") ? "AGREE_UNIX_FD\r\n" : "";
              socket.write(`DATA\r\nOK ${GUID}\r\n${agreement}`);
              const call = { serial: 1, sender: ":1.0" };
              socket.write(
                encodeMessage(methodReturn(call, { signature: "s", body: [":1.0"] }), 1),
              );
            } else {
              const call = { serial: 2, sender: ":1.0" };
              socket.write(Buffer.concat([encodeMessage(methodReturn(call), 2), first, second]));
            }
          });
        }).then(async () => {
          const client = await connect(`unix:path=${directory}/bus`, options);
          const bodies: unknown[] = [];
          await client.addMatch({ member: "Member", sender: ":1.9" }, ({ body }) => {
            bodies.push(body[0]);
            if (bodies.length === 2) void client.close().then(() => resolve(bodies));
          });
        });
      });
      expect(await received).toEqual(["first", "second"]);
    });
  });
});

if (addon !== null) {
  test("unixexec runs a program that leads to a bus; one that is not there is told", async () => {
    const script = `
      const socket = require("node:net").connect(${JSON.stringify(/path=([^,]*)/.exec(bus.address)?.[1])});
      process.stdin.pipe(socket).pipe(process.stdout);
      socket.on("close", () => process.exit());
    `;
    const properties = { path: process.execPath, argv1: "-e", argv2: script };
    const client = await connect(formatAddress(addressOf("unixexec", properties)));
    expect(client.guid).toBe(bus.guid);
    await client.close();
    const [reason] = await reasonsOf("unixexec:path=/nonexistent/program");
    expect(reason).toBe("cannot run /nonexistent/program: ENOENT");
  });
}

test("the session bus is where the environment says, or in the runtime directory", async () => {
  await inScratch(async (directory) => {
    const empty = { DBUS_SESSION_BUS_ADDRESS: "", XDG_RUNTIME_DIR: directory };
    expect(() => sessionBusAddresses(empty)).toThrow(`${directory}/bus: is not there`);
    expect(() => sessionBusAddresses({})).toThrow("$XDG_RUNTIME_DIR: is not set");
    await serve(join(directory, "bus"), () => {});
    expect(sessionBusAddresses(empty)).toBe(`unix:path=${directory}/bus`);
    await closeServers();
    writeFileSync(join(directory, "bus"), "");
    expect(() => sessionBusAddresses(empty)).toThrow(`${directory}/bus: is no socket`);
    expect(() => sessionBusAddresses(empty)).toThrow("$DISPLAY: is not set");
    expect(sessionBusAddresses({ ...empty, DISPLAY: ":7" })).toBe("autolaunch:");
    const set = { ...empty, DBUS_SESSION_BUS_ADDRESS: "unix:path=/x" };
    expect(sessionBusAddresses(set)).toBe("unix:path=/x");
  });
});

test("the system bus has its place, unless the environment says another", () => {
  expect(systemBusAddresses({})).toBe("unix:path=/var/run/dbus/system_bus_socket");
  expect(systemBusAddresses({ DBUS_SYSTEM_BUS_ADDRESS: "tcp:host=a,port=1" })).toBe(
    "tcp:host=a,port=1",
  );
});

/** A signal whose boolean is 2. */
function brokenBody(): Uint8Array {
  const bytes = encodeMessage(signal({ ...PLACE, signature: "b", body: [true] }), 2);
  bytes[bytes.length - 4] = 2;
  return bytes;
}

function promised(): Uint8Array {
  return encodeMessage(signal({ ...PLACE, signature: "h", body: [0], unixFds: 1 }), 2);
}

/** A signal from :1.9 with the header field 77, a string. */
function withUnknownField(text: string): Uint8Array {
  const message = signal({ ...PLACE, signature: "s", body: [text], sender: ":1.9" });
  const bytes = encodeMessage(message, 3);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const fieldsLength = view.getUint32(12, true);
  const headerLength = (16 + fieldsLength + 7) & ~7;
  const field = Buffer.from("\x4d\x01s\0\x01\0\0\0x\0\0\0\0\0\0\0", "latin1");
  const longer = Buffer.concat([
    bytes.subarray(0, headerLength),
    field,
    bytes.subarray(headerLength),
  ]);
  longer.writeUInt32LE(headerLength - 16 + 10, 12);
  return longer;
}
