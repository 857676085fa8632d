/**
 * Starts a session bus and shows on it a call, a signal that reaches its subscribers and one that
 * nobody gets. The peers are dbus-next, a client library that knows nothing of onehop.
 *
 * It stays up, with its address printed, until it is interrupted; `--once` ends it after the show.
 */

import { once } from "node:events";
import { tmpdir } from "node:os";
import dbus from "dbus-next";
import { type StartedBus, startBus } from "../bus/index.ts";

const NAME = "org.example.Greeter";
const PATH = "/org/example/Greeter";

type Peer = ReturnType<typeof dbus.sessionBus>;

async function show(): Promise<void> {
  const started = await startBus({
    listen: [`unix:tmpdir=${tmpdir()}`],
    log: ({ level, text }) => console.error(`${level}: ${text}`),
  });
  const peers: Peer[] = [];
  const connect = async (): Promise<Peer> => {
    const peer = dbus.sessionBus({ busAddress: started.address });
    peers.push(peer);
    await once(peer, "connect");
    return peer;
  };

  const service = await connect();
  service.addMethodHandler((call: dbus.Message) => {
    if (call.member !== "Greet") return false;
    const [who] = call.body;
    service.send(dbus.Message.newMethodReturn(call, "s", [`Hello, ${who}!`]));
    const signal = dbus.Message.newSignal(PATH, NAME, "Greeted", "s", [who]);
    service.send(signal);
    return true;
  });
  await service.requestName(NAME, 0);

  const greetings = [...(await subscribe(await connect())), ...(await subscribe(await connect()))];
  const caller = await connect();
  const reply = await caller.call(
    new dbus.Message({
      destination: NAME,
      path: PATH,
      interface: NAME,
      member: "Greet",
      signature: "s",
      body: ["world"],
    }),
  );
  console.log(`call    ${NAME}.Greet("world") was answered: ${JSON.stringify(reply?.body[0])}`);
  for (const greeted of greetings) {
    console.log(`signal  a subscriber was told: Greeted(${JSON.stringify(await greeted)})`);
  }

  const before = started.bus.counters.delivered;
  const handled = started.bus.counters.multicast;
  service.send(dbus.Message.newSignal(PATH, NAME, "Yawned", "", []));
  await ping(service);
  const deliveries = started.bus.counters.delivered - before - 1;
  const signals = started.bus.counters.multicast - handled;
  console.log(`signal  ${signals} that nobody subscribed to: ${deliveries} deliveries\n`);

  if (process.argv.includes("--once")) {
    await stop(started, peers);
    return;
  }
  console.log("The session bus stays up until Ctrl-C. In another terminal, for instance:\n");
  console.log(`  export DBUS_SESSION_BUS_ADDRESS='${started.address}'`);
  console.log(`  gdbus call --session -d ${NAME} -o ${PATH} -m ${NAME}.Greet you`);
  for (const signal of ["SIGINT", "SIGTERM"]) process.once(signal, () => stop(started, peers));
}

/** A peer that waits for a greeting. */
async function subscribe(peer: Peer): Promise<Promise<string>[]> {
  await driver(peer, "AddMatch", "s", [`type='signal',interface='${NAME}',member='Greeted'`]);
  const greeted = new Promise<string>((resolve) => {
    peer.on("message", (message: dbus.Message) => {
      if (message.member === "Greeted") resolve(String(message.body[0]));
    });
  });
  return [greeted];
}

/** Its answer proves that the bus has handled everything sent before. */
async function ping(peer: Peer): Promise<void> {
  await driver(peer, "GetId", "", []);
}

async function driver(
  peer: Peer,
  member: string,
  signature: string,
  body: unknown[],
): Promise<void> {
  await peer.call(
    new dbus.Message({
      destination: "org.freedesktop.DBus",
      path: "/org/freedesktop/DBus",
      interface: "org.freedesktop.DBus",
      member,
      signature,
      body,
    }),
  );
}

async function stop(started: StartedBus, peers: readonly Peer[]): Promise<void> {
  for (const peer of peers) peer.disconnect();
  await started.stop();
}

show().catch((error: unknown) => {
  console.error(error);
  process.exitCode = 1;
});
