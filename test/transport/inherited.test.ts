/** Socket activation as the service manager does it: a child with its sockets from descriptor 3 on. */

import { spawn } from "node:child_process";
import { once } from "node:events";
import { openSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { describe, expect, test } from "@jest/globals";
import type { Addon } from "../../native/binding.ts";
import { openDescriptors, openedSince } from "../support/descriptors.ts";
import { compileRooms } from "./compiled-room.ts";
import { addonOrNull, inScratch } from "./scratch.ts";

const addon = addonOrNull("socket activation");

/** Opens the listeners, says where and what is left of the environment, then closes them. */
const PROGRAM = `
import { loadAddon } from "./native/binding.js";
import { formatAddress } from "./transport/address.js";
import { openListeners } from "./transport/listen.js";
try {
  const listeners = await openListeners("systemd:", { addon: loadAddon() });
  const addresses = listeners.map(({ address }) => formatAddress(address));
  const descriptors = listeners.map(({ descriptor }) => descriptor?.number ?? null);
  const left = Object.keys(process.env).filter((key) => key.startsWith("LISTEN_"));
  for (const listener of listeners) listener.close();
  console.log(JSON.stringify({ addresses, descriptors, left }));
} catch (error) {
  console.log(JSON.stringify({ code: error.code, message: error.message }));
}
`;

/** What the program prints when it is started with these descriptors from 3 on. */
async function activate(directory: string, descriptors: readonly number[]): Promise<unknown> {
  compileRooms(["native", "transport", "wire"], directory);
  writeFileSync(join(directory, "program.js"), PROGRAM);
  // LISTEN_PID is the number of the process that execs the program, which only that knows.
  const child = spawn(
    "/bin/sh",
    ["-c", 'LISTEN_PID=$$ exec "$0" "$@"', process.execPath, join(directory, "program.js")],
    {
      stdio: ["ignore", "pipe", "inherit", ...descriptors],
      env: { ...process.env, LISTEN_FDS: `${descriptors.length}`, LISTEN_FDNAMES: "a:b" },
    },
  );
  // stdio[1] is a pipe
  const output = await text(child.stdout as NonNullable<typeof child.stdout>);
  return JSON.parse(output);
}

/** A listening socket of this process that is passed on. */
function listen(from: Addon, name: string, isAbstract: boolean): number {
  const descriptor = from.listenUnix(name, isAbstract, 8);
  if (descriptor < 0) throw new Error(`cannot listen on ${name}: ${descriptor}`);
  return descriptor;
}

if (addon === null) {
  test.todo("socket activation needs the addon");
} else {
  describe("systemd:", () => {
    test("takes over every socket, with the address that clients know, and leaves its file", async () => {
      await inScratch(async (directory) => {
        const before = openDescriptors();
        const path = join(directory, "a b");
        const abstract = `onehop-inherited-${process.pid}`;
        const passed = [listen(addon, path, false), listen(addon, abstract, true)];
        expect(await activate(directory, passed)).toEqual({
          addresses: [`unix:path=${directory}/a%20b`, `unix:abstract=${abstract}`],
          descriptors: [3, 4],
          left: [],
        });
        // The file is the service manager's, who goes on listening.
        const connection = addon.connectUnix(path, false);
        expect(connection).toBeGreaterThan(0);
        for (const descriptor of [...passed, connection]) addon.closeDescriptor(descriptor);
        expect(openedSince(before)).toEqual([]);
      });
    });

    test("refuses what does not listen", async () => {
      await inScratch(async (directory) => {
        const descriptor = openSync("/dev/null", "r");
        expect(await activate(directory, [descriptor])).toEqual({
          code: "ONEHOP_LISTEN_FAILED",
          message: "cannot listen on systemd:: file descriptor 3 is no listening socket: ENOTSOCK",
        });
        addon.closeDescriptor(descriptor);
      });
    });

    test("takes over sockets of TCP, too", async () => {
      await inScratch(async (directory) => {
        const server = createServer();
        server.listen(0, "127.0.0.1");
        await once(server, "listening");
        // Node shows the number nowhere in its public interface.
        const { fd } = (server as unknown as { _handle: { fd: number } })._handle;
        const { port } = server.address() as { port: number }; // it listens on a port
        expect(await activate(directory, [fd])).toEqual({
          addresses: [`tcp:family=ipv4,host=127.0.0.1,port=${port}`],
          descriptors: [null],
          left: [],
        });
        server.close();
      });
    });
  });
}
