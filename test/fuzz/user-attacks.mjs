/** What a hostile user does to use up what others need. Each attack takes some seconds, and is begun again at once. */

import { connect as connectSocket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";

const BUS = "org.freedesktop.DBus";
const SIGNAL = { type: 4, path: "/org/example/a", interface: "org.example.Hostile", member: "M" };
const CALL = { type: 1, path: "/org/example/a", interface: "org.example.Hostile", member: "M" };

/** Opens as many peers as the bus lets in, at most `most`. */
async function crowd(Peer, most) {
  const peers = [];
  for (let n = 0; n < most; n++) {
    const peer = await Peer.open().catch(() => null);
    if (peer === null) break;
    peers.push(peer);
  }
  return peers;
}

function leave(peers) {
  for (const peer of peers) peer.socket.destroy();
}

function driver(member, signature, body) {
  return { ...CALL, interface: BUS, destination: BUS, member, signature, body };
}

/** Sends until the bus takes no more for a while, or `count` times. */
async function pour(peer, count, make) {
  for (let n = 0; n < count && peer.isOpen; n++) {
    peer.send(make(n));
    if (peer.socket.writableLength > 1 << 20) await sleep(5);
  }
}

export const userAttacks = {
  async names({ Peer, string, random }) {
    const peers = await crowd(Peer, 10);
    const flags = Buffer.from([random.below(8), 0, 0, 0]);
    await Promise.all(
      peers.map((peer, index) =>
        pour(peer, 1500, (n) => {
          const name = string(`org.example.Hostile.P${index}.N${n}`, 4);
          return driver("RequestName", "su", Buffer.concat([name, flags]));
        }),
      ),
    );
    await sleep(200);
    leave(peers);
  },

  async rules({ Peer, string, random }) {
    const peers = await crowd(Peer, 10);
    await Promise.all(
      peers.map((peer) =>
        pour(peer, 1500, (n) =>
          driver("AddMatch", "s", string(`arg${n % 64}='${random.below(1e9)}'`)),
        ),
      ),
    );
    await sleep(200);
    leave(peers);
  },

  /** Calls that neighbours' services do not answer, from many who wait. */
  async replies({ Peer, services }) {
    const peers = await crowd(Peer, 10);
    await Promise.all(
      peers.map((peer) =>
        pour(peer, 800, (n) => ({ ...CALL, destination: services[n % services.length] })),
      ),
    );
    await sleep(300);
    leave(peers);
  },

  /** Whoever does not read gets all that can be thrown at it. */
  async queues({ Peer, string, sleepers, random }) {
    const peers = await crowd(Peer, 6);
    const body = string("x".repeat(random.pick([500, 20_000, 1 << 20])));
    const rounds = Math.ceil((48 << 20) / body.length);
    await Promise.all(
      peers.map((peer) =>
        pour(peer, Math.min(rounds, 3000), (n) => ({
          ...SIGNAL,
          signature: "s",
          body,
          destination: n % 2 === 0 ? "" : sleepers[n % sleepers.length],
        })),
      ),
    );
    await sleep(200);
    leave(peers);
  },

  /** The same between the hostile user's own peers. */
  async ownQueues({ Peer, string }) {
    const peers = await crowd(Peer, 12);
    for (const peer of peers.slice(1)) peer.socket.pause();
    const body = string("x".repeat(200_000));
    const [writer, ...sinks] = peers;
    if (writer === undefined) return;
    await pour(writer, 900, (n) => ({
      ...CALL,
      signature: "s",
      body,
      destination: sinks[n % sinks.length]?.name ?? BUS,
    }));
    await sleep(100);
    leave(peers);
  },

  async descriptors({ Peer, path, addon, random, message }) {
    const sinks = await crowd(Peer, 12);
    for (const sink of sinks) sink.socket.pause();
    const file = addon.memoryDescriptor(Buffer.from("hostile"));
    const sockets = Array.from({ length: 8 }, () => addon.connectUnix(path, false));
    const identity = Buffer.from(String(process.getuid())).toString("hex");
    const hello = message({ ...driver("Hello", "", Buffer.alloc(0)), serial: 1 });
    for (const fd of sockets.filter((each) => each >= 0)) {
      addon.send(
        fd,
        Buffer.from(`\0AUTH EXTERNAL ${identity}\r\nNEGOTIATE_UNIX_FD\r\nBEGIN\r\n`),
        [],
      );
      addon.send(fd, hello, []);
    }
    await sleep(100);
    const body = Buffer.alloc(30_000);
    body.writeUInt32LE(29_996);
    for (let n = 2; n < 120; n++) {
      for (const [index, fd] of sockets.entries()) {
        if (fd < 0) continue;
        const destination = sinks[(n + index) % sinks.length]?.name ?? BUS;
        const count = random.pick([1, 16]);
        const parts = { ...CALL, flags: 1, serial: n, destination, signature: "ay", body };
        const bytes = message({ ...parts, unixFds: count });
        // Every other socket has descriptors that no message claims.
        const isClaimed = index % 2 === 0;
        addon.send(fd, isClaimed ? bytes : bytes.subarray(0, 1 + (n % 3)), Array(count).fill(file));
      }
      await sleep(2);
    }
    for (const fd of [...sockets, file]) if (fd >= 0) addon.closeDescriptor(fd);
    leave(sinks);
  },

  async connections({ Peer }) {
    const peers = await crowd(Peer, 300);
    await sleep(500);
    leave(peers);
  },

  async halfOpen({ path }) {
    const sockets = Array.from({ length: 150 }, () => connectSocket(path).on("error", () => {}));
    await sleep(1500);
    for (const socket of sockets) socket.destroy();
  },

  /** A service that does not come, and messages that wait for it. */
  async starts({ Peer, string, slowService }) {
    const peers = await crowd(Peer, 4);
    const start = Buffer.concat([string(slowService, 4), Buffer.alloc(4)]);
    const body = string("x".repeat(100_000));
    for (const peer of peers) {
      await pour(peer, 60, (n) =>
        n % 2 === 0
          ? driver("StartServiceByName", "su", start)
          : { ...CALL, destination: slowService, signature: "s", body },
      );
    }
    await sleep(300);
    leave(peers);
  },

  async flood({ Peer, string, services }) {
    const peers = await crowd(Peer, 40);
    const body = string("x".repeat(100));
    await Promise.all(
      peers.map((peer, index) =>
        pour(peer, 4000, () => {
          if (index % 3 === 0) return driver("GetId", "", Buffer.alloc(0));
          if (index % 3 === 1) return { ...SIGNAL, signature: "s", body };
          return { ...CALL, flags: 1, destination: services[index % services.length] };
        }),
      ),
    );
    leave(peers);
  },
};
