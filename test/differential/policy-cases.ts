/** Random messages between peers of several users, and what became of each on one bus. */

import type { Arrival, Client } from "../conformance/support/client.ts";
import { type Draft, Type } from "../conformance/support/wire.ts";
import type { Random } from "../fuzz/random.ts";
import type { Peers, User } from "./peers.ts";
import { DRIVER, NAMES, type World } from "./policy-world.ts";

/** One message; `requester`: the peer that has called the sender before, which this answers. */
export interface MessageCase {
  readonly sender: number;
  readonly draft: Draft;
  readonly unixFds: number;
  readonly requester: number | null;
}

export interface OwnCase {
  readonly sender: number;
  readonly name: string;
}

export interface Cases {
  readonly messages: readonly MessageCase[];
  readonly owns: readonly OwnCase[];
}

export function randomCases(random: Random, world: World, messageCount: number): Cases {
  const messages = Array.from({ length: messageCount }, () => randomMessage(random, world));
  const owns = world.cast.flatMap((_, sender) => world.ownNames.map((name) => ({ sender, name })));
  return { messages, owns };
}

function randomMessage(random: Random, world: World): MessageCase {
  const { cast, paths, interfaces, members, errors } = world;
  const sender = random.below(cast.length);
  const type = 1 + random.below(4);
  const maybe = <Value>(share: number, values: readonly Value[]): Value | undefined =>
    random() < share ? random.pick(values) : undefined;
  const isReply = type === Type.Return || type === Type.Error;
  const requester = isReply && random() < 0.6 ? random.below(cast.length) : null;
  const others = cast.map((_, index) => `:1.${index}`);
  const isBroadcast = type === Type.Signal && random() < 0.5;
  const names = [...world.names, ...others, DRIVER];
  const destination = isBroadcast
    ? undefined
    : requester !== null
      ? `:1.${requester}`
      : random.pick(names);
  const isForDriver = destination === DRIVER;
  const driverMember = random.pick(world.driverMembers);
  const draft: Record<string, unknown> = {
    type,
    destination,
    flags: destination === NAMES.missing && random() < 0.5 ? 2 : 0,
    path: maybe(isReply ? 0.3 : 1, paths),
    interface:
      isForDriver && random() < 0.6
        ? random.pick(world.driverInterfaces)
        : maybe(isReply ? 0.3 : type === 4 ? 1 : 0.75, interfaces),
    member: isForDriver && type === 1 ? driverMember : maybe(isReply ? 0.3 : 1, members),
    errorName: type === Type.Error ? random.pick(errors) : maybe(0.05, errors),
    replySerial: isReply ? 1_000_000 : maybe(0.04, [77]),
  };
  const unixFds = cast[sender]?.negotiateFds && random() < 0.3 ? 1 + random.below(2) : 0;
  const present = Object.entries(draft).filter(([, value]) => value !== undefined);
  // every entry is one of Draft's fields, with its type
  return { sender, draft: Object.fromEntries(present) as unknown as Draft, unixFds, requester };
}

/** What became of a case on one bus, to be compared with another bus. */
export interface Verdict {
  readonly what: string;
  readonly isAllowed: boolean;
  /** What the sender was told: the text of a denial, or the name of another error, or that it was answered. */
  readonly told: string;
}

const DENIED = "org.freedesktop.DBus.Error.AccessDenied";

/** Runs the cases on a bus that nobody has been on before: unique names are part of them. */
export async function judge(
  address: string,
  peers: Peers,
  world: World,
  cases: Cases,
): Promise<Verdict[]> {
  const { cast } = world;
  const stage = new Stage();
  for (const { uid, gid, groups, negotiateFds } of cast) {
    stage.clients.push(await peers.connect(address, { uid, gid, groups }, { negotiateFds }));
  }
  for (const [index, { names, rule }] of cast.entries()) {
    const client = stage.client(index);
    for (const name of names) await client.requestName(name);
    await client.addMatch(rule);
  }
  await stage.listen();
  stage.heard.clear();
  const verdicts: Verdict[] = [];
  for (const [index, message] of cases.messages.entries()) {
    stage.told.set(index, await tell(stage, world, message, index));
  }
  for (const { sender, name } of cases.owns) {
    const reply = await stage
      .client(sender)
      .call("RequestName", { signature: "su", arguments: [name, 4] });
    const told = reply.type === Type.Error ? `${reply.errorName}: ${reply.arguments[0]}` : "";
    verdicts.push({ what: `${sender} owns ${name}`, isAllowed: !told.startsWith(DENIED), told });
  }
  await stage.listen();
  for (const [index, message] of cases.messages.entries()) {
    verdicts.push(...verdictsOf(stage, world, message, index));
  }
  for (const name of world.ownNames) {
    for (const [index] of cast.entries()) {
      const isAllowed = stage.heard.has(`NameOwnerChanged ${name} ${index}`);
      verdicts.push({ what: `${index} hears who owns ${name}`, isAllowed, told: "" });
    }
  }
  for (const user of world.callers) verdicts.push(await connectVerdict(address, peers, user));
  for (const client of stage.clients) client.close();
  return verdicts;
}

/** Whoever may not connect is disconnected when it has authenticated; the others have a call of Hello answered. */
async function connectVerdict(address: string, peers: Peers, user: User): Promise<Verdict> {
  const client = await peers.connect(address, user, { until: "begin" });
  client.sendCall("Hello");
  const isAllowed = await client.next().then(
    () => true,
    () => false,
  );
  client.close();
  return { what: `${JSON.stringify(user)} connects`, isAllowed, told: "" };
}

/** The peers of one bus, and what they have been told so far. */
class Stage {
  readonly clients: Client[] = [];
  /** `case-N J`: peer J got the message of case N. */
  readonly heard: Set<string> = new Set();
  readonly told: Map<number, string> = new Map();

  client(index: number): Client {
    return this.clients[index] as Client; // indexes are those of the cast
  }

  async listen(): Promise<void> {
    for (const [index, client] of this.clients.entries()) this.note(index, await client.drain());
  }

  note(index: number, arrivals: readonly Arrival[]): void {
    for (const { sender, member, arguments: values } of arrivals) {
      const what = sender === DRIVER ? `${member} ${values[0]}` : `${values[0]}`;
      this.heard.add(`${what} ${index}`);
    }
  }
}

/** Sends one message and waits for what its sender is told about it. */
async function tell(
  stage: Stage,
  world: World,
  message: MessageCase,
  index: number,
): Promise<string> {
  const { sender, draft, unixFds, requester } = message;
  const client = stage.client(sender);
  let { replySerial } = draft;
  if (requester !== null) {
    const call = { type: Type.Call, path: "/s", interface: "scaffold.I", member: "Call" };
    stage.client(requester).send({ ...call, destination: `:1.${sender}` });
    const isCall = (arrival: Arrival): boolean =>
      arrival.interface === "scaffold.I" &&
      arrival.sender === `:1.${requester}` &&
      arrival.destination === `:1.${sender}`;
    replySerial = (await client.first(isCall, "the call")).serial;
  }
  const serial = client.takeSerial();
  const isBare = draft.destination === DRIVER && !/Name(Has)?Owner/.test(draft.member ?? "");
  client.send(
    {
      ...draft,
      serial,
      ...(replySerial !== undefined && { replySerial }),
      ...(unixFds > 0 && { unixFds }),
      ...(!isBare && { signature: "s", arguments: [`case-${index}`] }),
    },
    Array(unixFds).fill("descriptor"),
  );
  // Its program ends at once, and then the sender is told; or it is not even started.
  const isForNobody = draft.destination === world.activatable && world.activatable !== null;
  const failures = isForNobody ? [await client.replyTo(serial)] : [];
  const arrivals = [...failures, ...(await client.drain())];
  stage.note(sender, arrivals);
  for (const arrival of arrivals) {
    if (arrival.replySerial !== serial || arrival.sender !== DRIVER) continue;
    if (arrival.type !== Type.Error) return "answered";
    return arrival.errorName === DENIED
      ? `${DENIED}: ${arrival.arguments[0]}`
      : `${arrival.errorName}`;
  }
  return "";
}

function verdictsOf(stage: Stage, world: World, message: MessageCase, index: number): Verdict[] {
  const { draft, requester } = message;
  const told = stage.told.get(index) ?? "";
  const what = `case ${index}: ${JSON.stringify(message)}`;
  const isAllowed = !told.startsWith(DENIED);
  const verdict = { what, isAllowed, told };
  const isReply = draft.type === Type.Return || draft.type === Type.Error;
  // Replies that nobody waits for are allowed and dropped by onehop: only whether they are allowed is compared.
  if ((isReply && requester === null) || !isAllowed) return [verdict];
  const copies = world.cast.map((_, receiver) => ({
    what: `${what} is heard by ${receiver}`,
    isAllowed: stage.heard.has(`case-${index} ${receiver}`),
    told: "",
  }));
  if (draft.destination === undefined) return copies;
  // The eavesdropper is the last one; of the others only the addressed one can have it.
  const others = copies.slice(0, -1).filter((copy) => copy.isAllowed);
  return [verdict, ...others, ...copies.slice(-1)];
}
