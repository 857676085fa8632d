/** Peers that mind their own business and must not notice what others do. */

import { setTimeout as sleep } from "node:timers/promises";
import { string } from "./hostile-peer.mjs";
import { generator } from "./random.ts";
import { text } from "./raw-message.mjs";

/** A neighbour that hears nothing for so long is lost, not slow. */
const LOST_MS = 30_000;

/** What neighbours share: their names, what they have counted, and whether the end has come. */
export function newState() {
  return { isOver: false, names: [], count: 0, truths: 0, worstMs: 0 };
}

/**
 * A service that echoes, its client, a herald of numbered signals and its listener, until `state.isOver`. `fail` is
 * told what they notice of others.
 */
export async function neighbours(Peer, index, state, fail) {
  const check = (isRight, reason) => {
    if (!isRight) fail(reason);
  };
  const [service, client, herald, listener] = [
    await Peer.open(),
    await Peer.open(),
    await Peer.open(),
    await Peer.open(),
  ];
  const all = { service, client, herald, listener };
  for (const [role, peer] of Object.entries(all)) {
    peer.closed.then(() =>
      check(state.isOver, `neighbour ${role} ${index} (${peer.name}) was disconnected`),
    );
    state.names.push(peer.name);
  }
  const name = `org.example.Neighbour${index}`;
  state.names.push(name);
  await service.call("RequestName", "su", Buffer.concat([string(name, 4), Buffer.alloc(4)]));
  service.onMessage = (call) => {
    if (call.type !== 1 || call.interface !== "org.example.Echo") return;
    const { sender: destination, serial: replySerial, signature, body } = call;
    service.send({ type: 2, destination, replySerial, signature, body });
  };
  for (const peer of [client, herald]) {
    peer.onMessage = (got) =>
      check(
        got.type === 4 || got.type === 1,
        `${peer.name} got a reply that it did not ask for, from ${got.sender}`,
      );
  }
  let heard = 0;
  listener.onMessage = (got) => {
    if (got.interface === "org.example.Tick") {
      if (got.sender !== herald.name) return;
      check(
        text(got.body) === String(heard),
        `signal ${text(got.body)} came where ${heard} should`,
      );
      heard = Number(text(got.body)) + 1;
      state.count++;
    } else if (got.interface === "org.example.Truth") {
      check(text(got.body) === got.sender, `${text(got.body)} spoke as ${got.sender}`);
      state.truths++;
    }
  };
  await listener.call("AddMatch", "s", string("type='signal',interface='org.example.Tick'"));
  await listener.call("AddMatch", "s", string("type='signal',interface='org.example.Truth'"));
  const own = generator(index);
  let said = 0;
  while (!state.isOver) {
    const body = string(`${index}/${said}/${"x".repeat(own.pick([0, 10, 2000, 70_000]))}`);
    herald.send({
      type: 4,
      path: "/",
      interface: "org.example.Tick",
      member: "T",
      signature: "s",
      body: string(String(said++)),
    });
    const destination = own.below(2) === 0 ? name : service.name;
    const asked = performance.now();
    const answer = await Promise.race([
      client
        .call("Echo", "s", body, destination, { interface: "org.example.Echo" })
        .catch(() => null),
      sleep(LOST_MS, "lost", { ref: false }),
    ]);
    state.worstMs = Math.max(state.worstMs, performance.now() - asked);
    if (state.isOver && answer !== "lost") break;
    if (answer === "lost" || answer === null) return fail(`neighbour ${index} got no answer`);
    check(
      answer.type === 2,
      `neighbour ${index} got an error: ${answer.errorName} ${text(answer.body)}`,
    );
    check(
      answer.sender === service.name,
      `an answer of ${service.name} came from ${answer.sender}`,
    );
    check(answer.body.equals(body), `neighbour ${index} got another answer than it sent`);
    state.count++;
    await sleep(own.below(8));
  }
  for (let i = 0; i < 200 && heard < said; i++) await sleep(50);
  check(heard === said, `listener ${index} heard ${heard} of ${said} signals`);
  for (const peer of Object.values(all)) peer.socket.destroy();
}
