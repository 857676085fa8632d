/** The client over sockets, with the addon and without it, on this bus, on dbus-daemon and on dbus-broker. */

import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "@jest/globals";
import { startBus } from "../../bus/start-bus.ts";
import type { Client } from "../../client/client.ts";
import { connect } from "../../client/connect.ts";
import { ownDescriptor } from "../../client/descriptors.ts";
import type { FileDescriptor } from "../../transport/file-descriptor.ts";
import { openDescriptors, openedSince } from "../support/descriptors.ts";
import { hasReferenceDaemon, ReferenceDaemon } from "../transport/reference-daemon.ts";
import { addonOrNull } from "../transport/scratch.ts";
import { hasBroker, startBroker } from "./dbus-broker.ts";
import { Clients, DRIVER, echo, failureOf, PLACE, settled } from "./support.ts";

interface Running {
  readonly address: string;
  stop(): Promise<void>;
}

const addon = addonOrNull("the client with the addon");
const ways = addon === null ? (["none"] as const) : (["required", "none"] as const);
const buses: [string, () => Promise<Running>][] = [
  ["onehop", async () => startBus({ listen: ["unix:tmpdir=/tmp"] })],
];
if (hasReferenceDaemon("the client on dbus-daemon")) {
  buses.push(["dbus-daemon", async () => ReferenceDaemon.start()]);
}
if (hasBroker("the client on dbus-broker")) buses.push(["dbus-broker", startBroker]);
const clients = new Clients();
const OWNER_CHANGED = { sender: DRIVER.destination, member: "NameOwnerChanged" };

/** Jest compares long arrays element by element, for seconds. */
function bytesOf(value: unknown): Buffer {
  if (!(value instanceof Uint8Array)) throw new Error(`not bytes: ${String(value)}`);
  return Buffer.from(value);
}

afterEach(() => clients.close());

describe.each(buses)("on %s", (_name, start) => {
  let bus: Running;

  beforeAll(async () => {
    bus = await start();
  });

  afterAll(() => bus.stop());

  describe.each(ways)("with addon: %s", (way) => {
    const join = () => clients.join(bus.address, { addon: way });

    test("it calls, is called, emits and listens", async () => {
      const [caller, callee] = [await join(), await join()];
      expect(caller.guid).toMatch(/^[0-9a-f]{32}$/);
      expect(callee.guid).toBe(caller.guid);
      echo(callee);
      await callee.requestName("org.example.Echo");
      const call = { ...PLACE, destination: "org.example.Echo", signature: "sx" };
      expect((await caller.call({ ...call, body: ["a", 1n] })).body).toEqual(["a", 1n]);
      const stream = await caller.signals({ sender: "org.example.Echo" });
      await callee.emit({ ...PLACE, signature: "as", body: [["x", "y"]] });
      expect((await stream.next()).value?.body).toEqual([["x", "y"]]);
      await stream.return();
      await callee.releaseName("org.example.Echo");
    });

    test("messages of 2 MiB go both ways", async () => {
      const [caller, callee] = [await join(), await join()];
      echo(callee);
      const body = [new Uint8Array(2 << 20).map((_, index) => index * 31)];
      const call = { ...PLACE, destination: callee.uniqueName, signature: "ay", body };
      const [one, other] = await Promise.all([caller.call(call), caller.call(call)]);
      expect(bytesOf(one.body[0]).equals(bytesOf(body[0]))).toBe(true);
      expect(bytesOf(other.body[0]).equals(bytesOf(body[0]))).toBe(true);
    });

    test("a producer that awaits never has much more than its high water waiting", async () => {
      const [sender, receiver] = [await join(), await join()];
      const stream = await receiver.signals({ member: "Member" }, { maxBuffered: 100_000 });
      const body = [new Uint8Array(100_000)];
      for (let i = 0; i < 60; i++) {
        await sender.emit({ ...PLACE, signature: "ay", body });
        expect(sender.queuedBytes).toBeLessThanOrEqual(1 << 20);
      }
      for (let i = 0; i < 60; i++) expect((await stream.next()).done).toBe(false);
      expect(stream.droppedCount).toBe(0);
      await stream.return();
    });

    test("a monitor sees what passes, and is not read while nobody takes it", async () => {
      const [watcher, sender] = [await join(), await join()];
      const monitor = await watcher.becomeMonitor(["member='Member'"], { maxBufferedBytes: 1000 });
      for (let i = 0; i < 300; i++) await sender.emit({ ...PLACE, signature: "u", body: [i] });
      await settled(sender);
      for (let i = 0; i < 300; i++) expect((await monitor.next()).value?.message.body).toEqual([i]);
      expect(monitor.bufferedBytes).toBe(0);
      await monitor.return();
    });

    test("closing loses nothing that was sent, and leaves no descriptor", async () => {
      const receiver = await join();
      const stream = await receiver.signals({ member: "Last" });
      const gone = await receiver.signals({
        ...OWNER_CHANGED,
        args: [{ index: 2, kind: "string", value: "" }],
      });
      const before = openDescriptors();
      const sender = await join();
      const body = [new Uint8Array(4 << 20).fill(1)];
      await sender.emit({ ...PLACE, member: "Last", signature: "ay", body });
      await sender.close();
      const { value } = await stream.next();
      expect(bytesOf(value?.body[0]).equals(bytesOf(body[0]))).toBe(true);
      await gone.next();
      await settled(receiver);
      expect(openedSince(before)).toEqual([]);
    });
  });

  if (addon !== null) {
    describe("file descriptors", () => {
      const join = () => clients.join(bus.address, { addon: "required" });
      const file = (text: string): FileDescriptor =>
        ownDescriptor(addon.memoryDescriptor(Buffer.from(text)));
      const read = (descriptor: FileDescriptor | undefined): string => {
        if (descriptor === undefined) throw new Error("no descriptor");
        const bytes = addon.readDescriptor(descriptor.number, 100);
        if (typeof bytes === "number") throw new Error(`cannot read: ${bytes}`);
        descriptor.close();
        return Buffer.from(bytes).toString();
      };
      let watcher: Client;
      let before: ReadonlySet<string>;

      beforeEach(async () => {
        watcher = await connect(bus.address);
        await settled(watcher);
        before = openDescriptors();
      });

      afterEach(async () => {
        const changes = await watcher.signals(OWNER_CHANGED);
        const names = new Set<unknown>(clients.uniqueNames);
        await clients.close();
        while (names.size > 0) names.delete((await changes.next()).value?.body[0]);
        await changes.return();
        // Descriptors that were sent are closed at the end of the turn after that.
        await settled(watcher);
        expect(openedSince(before)).toEqual([]);
        await watcher.close();
      });

      test("go there and back; the caller's own stay the caller's", async () => {
        const [caller, callee] = [await join(), await join()];
        expect(caller.passesDescriptors).toBe(true);
        echo(callee);
        const files = [file("one"), file("two")];
        const reply = await caller.call({
          ...PLACE,
          destination: callee.uniqueName,
          signature: "hh",
          body: [1, 0],
          descriptors: files,
        });
        expect(reply.body).toEqual([1, 0]);
        expect(reply.descriptors.map(read)).toEqual(["one", "two"]);
        expect(files.map(read)).toEqual(["one", "two"]);
      });

      test("that nobody takes are closed: of calls, replies, errors, signals and late replies", async () => {
        const [caller, callee] = [await join(), await join()];
        const descriptors = [file("x")];
        const more = { signature: "h", body: [0], descriptors };
        const call = { ...PLACE, destination: callee.uniqueName, ...more };
        expect((await failureOf(caller.call(call))).code).toBe("ONEHOP_ERROR_REPLY");
        const controller = new AbortController();
        let answered = Promise.resolve();
        callee.onCall = (taken) => {
          for (const each of taken.descriptors) each.close();
          controller.abort();
          answered = callee.reply(taken, more);
          return true;
        };
        const aborted = await failureOf(caller.call(call, { signal: controller.signal }));
        expect(aborted.code).toBe("ONEHOP_ABORTED");
        await answered;
        await callee.emit({ ...PLACE, ...more });
        await caller.addMatch({ member: "Member" }, () => {});
        await callee.emit({ ...PLACE, ...more });
        await settled(callee);
        await settled(caller);
        for (const each of descriptors) each.close();
      });

      test("in signals are everybody's own: listeners borrow them, streams keep duplicates", async () => {
        const [sender, receiver] = [await join(), await join()];
        const streams = [await receiver.signals(PLACE), await receiver.signals(PLACE)];
        const dropping = await receiver.signals(PLACE, { maxBuffered: 1 });
        const descriptors = [file("x")];
        const signal = { ...PLACE, signature: "h", body: [0], descriptors };
        await sender.emit(signal);
        await sender.emit(signal);
        for (const stream of streams) {
          expect(read((await stream.next()).value?.descriptors[0])).toBe("x");
          await stream.return();
        }
        await dropping.return();
        for (const each of descriptors) each.close();
      });

      test("do not pass where they cannot: the error says so, nothing is sent", async () => {
        const without = await clients.join(bus.address, { addon: "none" });
        const descriptors = [file("x")];
        const call = { ...DRIVER, member: "GetId", descriptors };
        const error = await failureOf(without.call(call));
        expect([error.code, error.errorName]).toEqual([
          "ONEHOP_NO_DESCRIPTORS",
          "org.freedesktop.DBus.Error.NotSupported",
        ]);
        await settled(without);
        for (const each of descriptors) each.close();
      });
    });
  }
});
