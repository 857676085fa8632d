import { once } from "node:events";
import {
  chmodSync,
  existsSync,
  lstatSync,
  readdirSync,
  renameSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { connect, createServer } from "node:net";
import { join } from "node:path";
import { describe, expect, test } from "@jest/globals";
import { formatAddress } from "../../transport/address.ts";
import { connectAddress } from "../../transport/connect.ts";
import {
  ListenError,
  type Listener,
  type ListenOptions,
  openListeners,
} from "../../transport/listen.ts";
import { openDescriptors, openedSince } from "../support/descriptors.ts";
import { addonOrNull, inScratch } from "./scratch.ts";

const addon = addonOrNull("listening with the addon");
const WITHOUT: ListenOptions = { addon: null };

/** The one listener of an address. */
async function open(address: string, options: ListenOptions): Promise<Listener> {
  const listeners = await openListeners(address, options);
  expect(listeners).toHaveLength(1);
  const listener = listeners[0] as Listener; // there is one
  listener.servers[0]?.on("connection", (socket) => socket.destroy());
  return listener;
}

async function errorOf(promise: Promise<unknown>): Promise<Error> {
  try {
    await promise;
  } catch (error) {
    if (error instanceof Error) return error;
  }
  throw new Error("nothing was thrown");
}

/** Makes a socket file on which nobody listens, as a crash leaves it. */
async function makeStale(path: string): Promise<void> {
  const server = createServer();
  server.listen(`${path}.moved`);
  await once(server, "listening");
  renameSync(`${path}.moved`, path);
  server.close();
  await once(server, "close");
}

/** Runs with the addon and without. */
const ways: [string, ListenOptions][] = [["without the addon", WITHOUT]];
if (addon !== null) ways.push(["with the addon", { addon }]);

describe.each(ways)("%s", (_, options) => {
  test("a path is bound, can be connected to, and is gone after close", async () => {
    await inScratch(async (directory) => {
      const path = join(directory, "a b");
      const listener = await open(`unix:path=${directory}/a%20b`, options);
      expect(formatAddress(listener.address)).toBe(`unix:path=${directory}/a%20b`);
      const socket = connect(path);
      await once(socket, "connect");
      socket.destroy();
      listener.close();
      listener.close();
      expect(existsSync(path)).toBe(false);
    });
  });

  test.each(["dir", "tmpdir"])("%s makes up a name in the directory", async (key) => {
    await inScratch(async (directory) => {
      const first = await open(`unix:${key}=${directory}`, options);
      const second = await open(`unix:${key}=${directory}`, options);
      const shape = new RegExp(`^unix:path=${directory}/dbus-[A-Za-z0-9]{6,10}(/bus)?$`);
      expect(formatAddress(first.address)).toMatch(shape);
      expect(first.address).not.toEqual(second.address);
      (await connectAddress(formatAddress(second.address), WITHOUT)).socket?.destroy();
      first.close();
      second.close();
      expect(readdirSync(directory)).toEqual([]);
    });
  });

  test("runtime=yes is the file bus in XDG_RUNTIME_DIR", async () => {
    await inScratch(async (directory) => {
      const environment = { XDG_RUNTIME_DIR: directory };
      const listener = await open("unix:runtime=yes", { ...options, environment });
      expect(formatAddress(listener.address)).toBe(`unix:path=${directory}/bus`);
      listener.close();
    });
  });

  test("a socket on which nobody listens is replaced, and the log says so", async () => {
    await inScratch(async (directory) => {
      const path = join(directory, "bus");
      await makeStale(path);
      const lines: string[] = [];
      const listener = await open(`unix:path=${path}`, {
        ...options,
        log: (line) => lines.push(line),
      });
      expect(lines).toEqual([`removed the socket ${path}, on which nobody was listening`]);
      listener.close();
    });
  });

  test("takeover never leaves even that alone", async () => {
    await inScratch(async (directory) => {
      const path = join(directory, "bus");
      await makeStale(path);
      const error = await errorOf(
        openListeners(`unix:path=${path}`, { ...options, takeover: "never" }),
      );
      expect(error).toMatchObject({ code: "ONEHOP_ADDRESS_IN_USE" });
      expect(existsSync(path)).toBe(true);
    });
  });

  test("a socket on which somebody listens is left alone", async () => {
    await inScratch(async (directory) => {
      const address = `unix:path=${directory}/bus`;
      const first = await open(address, options);
      const error = await errorOf(openListeners(address, options));
      expect(error).toMatchObject({ code: "ONEHOP_ADDRESS_IN_USE", address });
      const who =
        options.addon === null
          ? "somebody"
          : `process ${process.pid} of user ${process.getuid?.()}`;
      expect(error.message).toBe(`cannot listen on ${address}: ${who} listens there`);
      (await connectAddress(address, WITHOUT)).socket?.destroy();
      first.close();
    });
  });

  test.each(["stale", "always"] as const)(
    "what is no socket stays, takeover %s",
    async (takeover) => {
      await inScratch(async (directory) => {
        const file = join(directory, "file");
        const link = join(directory, "link");
        writeFileSync(file, "precious");
        const listener = await open(`unix:path=${directory}/socket`, options);
        symlinkSync(join(directory, "socket"), link);
        for (const path of [file, link]) {
          const error = await errorOf(openListeners(`unix:path=${path}`, { ...options, takeover }));
          expect(error).toMatchObject({ code: "ONEHOP_ADDRESS_IN_USE" });
          expect(error.message).toContain("no socket");
          expect(lstatSync(path).isSocket()).toBe(false);
        }
        listener.close();
      });
    },
  );

  test("a name that is too long is refused with its length", async () => {
    await inScratch(async (directory) => {
      const error = await errorOf(
        openListeners(`unix:path=${directory}/${"a".repeat(107)}`, options),
      );
      expect(error).toBeInstanceOf(ListenError);
      expect(error.message).toContain(`${directory.length + 108} bytes, more than 107`);
      const fitting = "a".repeat(107 - directory.length - 1);
      const listener = await open(`unix:path=${directory}/${fitting}`, options);
      (await connectAddress(formatAddress(listener.address), WITHOUT)).socket?.destroy();
      listener.close();
    });
  });

  test("the first address of a list that works is the one", async () => {
    await inScratch(async (directory) => {
      const list = `launchd:;unix:path=${directory}/no/bus;unix:path=${directory}/bus;unix:path=${directory}/c`;
      const listener = await open(list, options);
      expect(formatAddress(listener.address)).toBe(`unix:path=${directory}/bus`);
      expect(readdirSync(directory)).toEqual(["bus"]);
      listener.close();
    });
  });

  test("an address that is wrong in itself ends the search, as in dbus-daemon", async () => {
    await inScratch(async (directory) => {
      const error = await errorOf(openListeners(`unix:;unix:path=${directory}/bus`, options));
      expect(error).toMatchObject({ code: "ONEHOP_ADDRESS_SYNTAX" });
    });
  });

  test("if none works the error has the reason of each in one line", async () => {
    await inScratch(async (directory) => {
      const list = `launchd:;unix:path=${directory}/no/bus`;
      const error = await errorOf(openListeners(list, options));
      expect(error).toMatchObject({ code: "ONEHOP_LISTEN_FAILED", address: list });
      expect(error.message).toMatch(/only on unix, tcp, nonce-tcp and systemd.*\/no.*ENOENT/);
      expect(error.message).not.toContain("\n");
    });
  });

  test("nothing stays open, whether it works or not", async () => {
    await inScratch(async (directory) => {
      const before = openDescriptors();
      const address = `unix:path=${directory}/bus`;
      const listener = await open(address, options);
      await errorOf(openListeners(address, options));
      await errorOf(openListeners(`unix:path=${directory}/no/bus`, options));
      listener.close();
      await makeStale(join(directory, "bus"));
      (await open(address, options)).close();
      (await open(`unix:dir=${directory}`, options)).close();
      expect(openedSince(before)).toEqual([]);
      expect(readdirSync(directory)).toEqual([]);
    });
  });
});

describe("without the addon", () => {
  test("a directory that others may enter is refused", async () => {
    await inScratch(async (directory) => {
      chmodSync(directory, 0o711);
      const error = await errorOf(openListeners(`unix:path=${directory}/bus`, WITHOUT));
      expect(error.message).toContain("mode 0700");
      chmodSync(directory, 0o700);
    });
  });

  test("a made-up name lies in a directory that nobody else may enter", async () => {
    await inScratch(async (directory) => {
      chmodSync(directory, 0o755);
      const listener = await open(`unix:dir=${directory}`, WITHOUT);
      const [made] = readdirSync(directory);
      expect(lstatSync(join(directory, made ?? "")).mode & 0o777).toBe(0o700);
      listener.close();
      expect(readdirSync(directory)).toEqual([]);
    });
  });

  test.each(["unix:abstract=onehop-test", "systemd:"])("%s needs the addon", async (address) => {
    const error = await errorOf(openListeners(address, WITHOUT));
    expect(error).toMatchObject({ code: "ONEHOP_LISTEN_FAILED", address });
    expect(error.message).toContain("addon");
  });
});

if (addon !== null) {
  describe("with the addon", () => {
    const options: ListenOptions = { addon };

    test("anybody may connect, whatever the umask", async () => {
      await inScratch(async (directory) => {
        const umask = process.umask(0o077);
        const listener = await open(`unix:path=${directory}/bus`, options);
        process.umask(umask);
        expect(lstatSync(join(directory, "bus")).mode & 0o777).toBe(0o777);
        listener.close();
      });
    });

    test("an abstract name is bound once, without a file", async () => {
      const address = `unix:abstract=onehop-test-${process.pid}`;
      const listener = await open(address, options);
      expect(formatAddress(listener.address)).toBe(address);
      const error = await errorOf(openListeners(address, { addon, takeover: "always" }));
      expect(error).toMatchObject({ code: "ONEHOP_ADDRESS_IN_USE" });
      expect(error.message).toContain(`process ${process.pid} of user`);
      (await connectAddress(address, options)).descriptor?.close();
      listener.close();
      expect((await errorOf(connectAddress(address, options))).message).toContain("ECONNREFUSED");
    });

    test("takeover always replaces a live socket, and the old owner then leaves it alone", async () => {
      await inScratch(async (directory) => {
        const address = `unix:path=${directory}/bus`;
        const first = await open(address, options);
        const second = await open(address, { addon, takeover: "always" });
        first.close();
        (await connectAddress(address, WITHOUT)).socket?.destroy();
        second.close();
        expect(readdirSync(directory)).toEqual([]);
      });
    });

    test("a descriptor that was taken is not closed", async () => {
      await inScratch(async (directory) => {
        const listener = await open(`unix:path=${directory}/bus`, options);
        const taken = listener.descriptor?.take() ?? -1;
        listener.close();
        expect(existsSync(`/proc/self/fd/${taken}`)).toBe(true);
        expect(addon.closeDescriptor(taken)).toBe(0);
      });
    });

    test.each([
      [{}, "LISTEN_PID is not set"],
      [{ LISTEN_PID: "1", LISTEN_FDS: "1" }, "passed to process 1"],
      [{ LISTEN_PID: `${process.pid}`, LISTEN_FDS: "0" }, 'LISTEN_FDS is "0"'],
      [{ LISTEN_PID: `${process.pid}`, LISTEN_FDS: "1x" }, 'LISTEN_FDS is "1x"'],
      [{ LISTEN_PID: `${process.pid}` }, 'LISTEN_FDS is ""'],
    ])("systemd: with %j is refused", async (environment, reason) => {
      const error = await errorOf(openListeners("systemd:", { addon, environment }));
      expect(error).toMatchObject({ code: "ONEHOP_LISTEN_FAILED" });
      expect(error.message).toContain(reason);
    });
  });
}
