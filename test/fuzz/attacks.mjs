/** What hostile peers do. Each attack takes a few seconds at most and leaves its connections behind closed. */

import { connect as connectSocket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { message } from "./raw-message.mjs";

const BUS = "org.freedesktop.DBus";
const RIGHT = { type: 4, path: "/org/example/a", interface: "org.example.Hostile", member: "M" };

/** Ends a peer, orderly or not. */
function leave(peer, random) {
  if (random.below(2) === 0) peer.socket.destroy();
  else peer.socket.end();
}

/** Bytes in random pieces, now and then with a pause. */
async function trickle(peer, bytes, random, most) {
  for (let at = 0; at < bytes.length && peer.isOpen; ) {
    const end = at + 1 + random.below(most);
    peer.write(bytes.subarray(at, end));
    at = end;
    if (random.below(8) === 0) await sleep(random.below(5));
  }
}

function randomBytes(random, length) {
  return Buffer.from(Array.from({ length }, () => random.below(256)));
}

/** `depth` variants in each other around a byte. */
function nested(depth) {
  const parts = [];
  for (let i = 0; i < depth; i++) parts.push(1, 0x76, 0);
  return Buffer.from([...parts, 1, 0x79, 0, 7]);
}

export const attacks = {
  async handshake({ random, path }) {
    const socket = connectSocket(path).on("error", () => {});
    const lines = [
      "AUTH",
      "AUTH EXTERNAL 30",
      "DATA",
      "CANCEL",
      "BEGIN",
      "NEGOTIATE_UNIX_FD",
      "ERROR \x9b2J",
      "AUTH EXTERNAL 9b0a",
      "x".repeat(17_000),
    ];
    if (random.below(6) > 0) socket.write("\0");
    for (let i = random.below(60); i > 0 && !socket.destroyed; i--) {
      socket.write(random.below(5) === 0 ? randomBytes(random, 50) : `${random.pick(lines)}\r\n`);
      if (random.below(4) === 0) await sleep(1);
    }
    await sleep(random.below(50));
    socket.destroy();
  },

  async mutations({ random, Peer, string, neighbours }) {
    const peer = await Peer.open(random.below(5) > 0);
    for (let i = 0; i < 40 && peer.isOpen; i++) {
      const body = random.pick([
        string("x"),
        nested(random.below(70)),
        Buffer.alloc(random.below(40)),
      ]);
      const destination = random.pick(["", BUS, peer.name, random.pick(neighbours)]);
      const signature = random.pick(["s", "v", "a{sv}", "", "((((y))))"]);
      const bytes = message({
        ...RIGHT,
        type: 1 + random.below(5),
        serial: i + 9,
        replySerial: random.below(5),
        destination,
        signature,
        body,
        flags: random.below(256),
      });
      for (let n = random.below(3); n > 0; n--)
        bytes[random.below(bytes.length)] = random.pick([0, 1, 255, random.below(256)]);
      await trickle(peer, bytes, random, random.pick([3, 64, 4096]));
    }
    await sleep(20);
    leave(peer, random);
  },

  async descriptors({ random, path, addon, Peer }) {
    const sink = await Peer.open();
    if (random.below(2) === 0) sink.socket.pause();
    const fd = addon.connectUnix(path, false);
    if (fd < 0) return leave(sink, random);
    const file = addon.memoryDescriptor(Buffer.from("hostile"));
    const identity = Buffer.from(String(process.getuid())).toString("hex");
    const negotiate = random.below(4) > 0 ? "NEGOTIATE_UNIX_FD\r\n" : "";
    addon.send(fd, Buffer.from(`\0AUTH EXTERNAL ${identity}\r\n${negotiate}BEGIN\r\n`), []);
    addon.send(
      fd,
      message({ ...RIGHT, type: 1, interface: BUS, member: "Hello", destination: BUS, serial: 1 }),
      [],
    );
    await sleep(10);
    for (let i = 2; i < 60; i++) {
      const sent = random.pick([0, 1, 2, 16, 253]);
      const unixFds = random.below(8) > 0 ? sent : random.pick([0, 1, 17, 300, 0xffffffff]);
      const destination = random.pick(["", sink.name, sink.name, BUS, ":1.999999"]);
      const bytes = message({
        ...RIGHT,
        type: random.pick([1, 4]),
        flags: 1,
        serial: i,
        destination,
        unixFds,
      });
      const half = random.below(2) === 0 ? bytes.length : 1 + random.below(bytes.length - 1);
      if (addon.send(fd, bytes.subarray(0, half), Array(sent).fill(file)) < 0) break;
      if (half < bytes.length) addon.send(fd, bytes.subarray(half), []);
      if (i % 8 === 0) await sleep(1);
    }
    await sleep(30);
    addon.closeDescriptor(file);
    addon.closeDescriptor(fd);
    leave(sink, random);
  },

  async claims({ random, Peer }) {
    const peer = await Peer.open(random.below(2) === 0);
    const head = Buffer.alloc(16);
    head.set([random.pick([0x6c, 0x42]), 4, 0, 1]);
    for (const at of [4, 12])
      head.writeUInt32LE(
        random.pick([0, 100, 40_000, 3 << 20, 100 << 20, 0x7fffffff, 0xffffffff]),
        at,
      );
    head[8] = 1;
    peer.write(head);
    peer.write(Buffer.alloc(random.pick([0, 100, 40_000, 1 << 20, 5 << 20])));
    await sleep(random.below(300));
    leave(peer, random);
  },

  async slow({ random, Peer, string }) {
    const peer = await Peer.open();
    const bytes = message({ ...RIGHT, serial: 5, signature: "s", body: string("x".repeat(300)) });
    for (let at = 0; at < bytes.length && peer.isOpen; at += 7) {
      peer.write(bytes.subarray(at, at + 7));
      await sleep(5);
    }
    leave(peer, random);
  },

  async storm({ random, Peer, string }) {
    const peers = await Promise.all(
      Array.from({ length: 20 }, () => Peer.open().catch(() => null)),
    );
    for (const peer of peers) {
      for (let i = 0; peer !== null && i < 30; i++) {
        const flags = Buffer.from([random.below(8), 0, 0, 0]);
        const name = string(`org.example.N${random.below(40)}`, 4);
        peer.send({
          ...RIGHT,
          type: 1,
          flags: 1,
          interface: BUS,
          destination: BUS,
          member: "RequestName",
          signature: "su",
          body: Buffer.concat([name, flags]),
        });
        if (i % 9 === 0)
          peer
            .call("AddMatch", "s", string("type='signal',member='NameOwnerChanged'"))
            .catch(() => {});
      }
    }
    await sleep(random.below(30));
    for (const peer of peers) if (peer !== null) leave(peer, random);
  },

  async unread({ random, Peer, string }) {
    const [reader, writer] = [await Peer.open(), await Peer.open()];
    await reader.call("AddMatch", "s", string("interface='org.example.Unread'"));
    reader.socket.pause();
    const body = string("x".repeat(random.pick([500, 20_000, 1 << 20])));
    for (
      let sent = 0;
      sent < 80 << 20 && writer.isOpen && reader.isOpen;
      sent += body.length + 2000
    ) {
      writer.send({
        ...RIGHT,
        interface: "org.example.Unread",
        signature: "s",
        body,
        destination: random.pick(["", reader.name]),
      });
      if (writer.socket.writableLength > 4 << 20) await sleep(5);
    }
    await sleep(50);
    leave(reader, random);
    leave(writer, random);
  },

  async replies({ random, Peer, neighbours, string }) {
    const peer = await Peer.open();
    for (let i = 0; i < 3000 && peer.isOpen; i++) {
      const destination = random.pick(neighbours);
      peer.send({
        type: 2 + random.below(2),
        replySerial: 1 + random.below(2000),
        destination,
        errorName: "org.example.Error",
        signature: "s",
        body: string("forged"),
        sender: random.pick(neighbours),
      });
      if (i % 500 === 0) await sleep(1);
    }
    await sleep(20);
    leave(peer, random);
  },

  async forgery({ random, Peer, neighbours, string }) {
    const peer = await Peer.open();
    const unknown = "u".repeat(random.pick([1, 300, 3000, 30_000, 200_000, 600_000]));
    for (let sent = 0; sent < 6 << 20 && peer.isOpen; sent += unknown.length + 200) {
      const rest = {
        unknown,
        sender: random.pick([...neighbours.filter((name) => name[0] === ":"), "", ""]),
      };
      peer.send({
        ...RIGHT,
        interface: "org.example.Truth",
        signature: "s",
        body: string(peer.name),
        ...rest,
      });
      peer.send({
        ...RIGHT,
        interface: "org.example.Tick",
        signature: "s",
        body: string("0"),
        ...rest,
      });
      peer.send({
        ...RIGHT,
        type: 1,
        flags: random.below(2),
        destination: random.pick([BUS, ":1.999999", random.pick(neighbours)]),
        ...rest,
      });
      if (peer.socket.writableLength > 1 << 20) await sleep(2);
    }
    await sleep(20);
    leave(peer, random);
  },

  async nesting({ random, Peer }) {
    const peer = await Peer.open();
    const depth = random.pick([10, 62, 63, 64, 65, 66, 1000, 30_000]);
    const signature = random.pick([
      "v",
      "v",
      `${"a".repeat(random.below(40))}y`,
      `${"(".repeat(33)}y${")".repeat(33)}`,
    ]);
    const body = signature === "v" ? nested(depth) : Buffer.alloc(4 + random.below(8));
    peer.send({ ...RIGHT, signature, body });
    const interfaceName = "org.freedesktop.DBus.Properties";
    const names = Buffer.from([1, 0, 0, 0, 0x61, 0, 0, 0, 1, 0, 0, 0, 0x62, 0]);
    const set = Buffer.concat([names, nested(depth)]);
    peer.send({
      ...RIGHT,
      type: 1,
      interface: interfaceName,
      path: "/org/freedesktop/DBus",
      member: "Set",
      destination: BUS,
      signature: "ssv",
      body: set,
    });
    await sleep(30);
    leave(peer, random);
  },

  async rules({ random, Peer, string }) {
    const peer = await Peer.open();
    const path = `/${Array.from({ length: random.pick([1, 100, 1900]) }, () => "a").join("/")}`;
    const keys = [
      () => "type='signal'",
      () => `interface='a.b${random.below(9)}'`,
      () => `path_namespace='${path.slice(0, 2 * (1 + random.below(300)))}'`,
      () => `arg${random.below(64)}='v${random.below(50)}'`,
      () => `arg${random.below(64)}path='/aa/${random.below(50)}/'`,
      () => `arg0namespace='a.b${random.below(9)}'`,
      () => `sender=':1.${random.below(99)}'`,
      () => "eavesdrop='true'",
      () => random.pick(["arg64='x'", "member='", "x=y", "destination=':1.1'", "\\'=,,'"]),
    ];
    for (let i = 0; i < 1500 && peer.isOpen; i++) {
      const rule = Array.from({ length: 1 + random.below(5) }, () => random.pick(keys)()).join(",");
      const member = random.below(5) > 0 ? "AddMatch" : "RemoveMatch";
      peer.send({
        ...RIGHT,
        type: 1,
        interface: BUS,
        destination: BUS,
        member,
        signature: "s",
        body: string(rule),
      });
      if (i % 20 === 0)
        peer.send({
          ...RIGHT,
          path,
          interface: `a.b${random.below(9)}`,
          signature: "s",
          body: string(random.pick(["/aa/", "v1", "a.b1.c"])),
        });
      if (i % 300 === 0) await sleep(1);
    }
    await peer.call("GetId");
    leave(peer, random);
  },

  async questions({ random, Peer, string, neighbours }) {
    const peer = await Peer.open();
    const members = [
      "GetNameOwner",
      "NameHasOwner",
      "ListQueuedOwners",
      "GetConnectionCredentials",
      "ReleaseName",
      "AddMatch",
      "ListNames",
      "Hello",
      "GetConnectionUnixUser",
      "StartServiceByName",
    ];
    for (let i = 0; i < 100 && peer.isOpen; i++) {
      const value = random.pick([
        random.pick(neighbours),
        "",
        "x".repeat(random.pick([10, 5000, 3 << 20])),
        "é\u0001\n\u2028",
        BUS,
      ]);
      await peer.call(random.pick(members), "s", string(value)).catch(() => null);
      peer.call("ListNames").catch(() => {});
    }
    leave(peer, random);
  },

  async large({ random, Peer, string, neighbours }) {
    const peer = await Peer.open();
    if (random.below(3) === 0) peer.socket.end();
    const body = string("x".repeat(random.pick([33_000, 600_000, 3 << 20])));
    for (let i = 0; i < 8 && peer.isOpen; i++) {
      const destination = random.pick(["", peer.name, ":1.999999", random.pick(neighbours)]);
      peer.send({
        ...RIGHT,
        type: random.pick([1, 4]),
        flags: 1,
        destination,
        signature: "s",
        body,
        unknown: random.pick(["", "z"]),
      });
      await sleep(2);
    }
    await sleep(30);
    leave(peer, random);
  },
};
