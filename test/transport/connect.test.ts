import { once } from "node:events";
import { createServer, type Server } from "node:net";
import { join } from "node:path";
import { describe, expect, test } from "@jest/globals";
import { AddressError, formatAddress } from "../../transport/address.ts";
import { ConnectError, connectAddress } from "../../transport/connect.ts";
import { openDescriptors, openedSince } from "../support/descriptors.ts";
import { addonOrNull, inScratch } from "./scratch.ts";

const addon = addonOrNull("connecting with the addon");

async function serve(path: string): Promise<Server> {
  const server = createServer((socket) => socket.destroy());
  server.listen(path);
  await once(server, "listening");
  return server;
}

describe.each(addon === null ? [null] : [null, addon])("with addon %#", (way) => {
  test("the first address that answers is taken", async () => {
    await inScratch(async (directory) => {
      const server = await serve(join(directory, "bus"));
      const list = `tcp:host=localhost,port=1;unix:path=${directory}/no;unix:path=${directory}/bus,guid=00112233445566778899aabbccddeeff`;
      const stream = await connectAddress(list, { addon: way });
      expect(formatAddress(stream.address)).toContain(`path=${directory}/bus,guid=0011`);
      expect(stream.descriptor === null).toBe(way === null);
      expect(stream.socket === null).toBe(way !== null);
      stream.descriptor?.close();
      stream.socket?.destroy();
      server.close();
      await once(server, "close");
    });
  });

  test("if nothing answers, the error says what was tried and why it failed", async () => {
    const before = openDescriptors();
    const list = "vsock:;unix:tmpdir=/tmp;unix:path=/nonexistent/bus;unix:abstract=onehop-nobody";
    const error = await connectAddress(list, { addon: way }).catch((thrown: unknown) => thrown);
    if (!(error instanceof ConnectError)) throw error;
    expect(error.code).toBe("ONEHOP_CONNECT_FAILED");
    expect(error.attempts.map(({ address }) => address)).toEqual(list.split(";"));
    expect(error.attempts.map(({ reason }) => reason)).toEqual([
      'cannot connect to "vsock", only to unix, tcp, nonce-tcp, unixexec and autolaunch',
      '"tmpdir" is for servers to listen on, not to connect to',
      "ENOENT",
      way === null ? "the native addon is needed for abstract names" : "ECONNREFUSED",
    ]);
    for (const { address, reason } of error.attempts) {
      expect(error.message).toContain(`${address}: ${reason}`);
    }
    expect(openedSince(before)).toEqual([]);
  });

  test("a list that cannot be read is an AddressError", async () => {
    await expect(connectAddress("unix", { addon: way })).rejects.toBeInstanceOf(AddressError);
  });
});
