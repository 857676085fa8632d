/** A bus as a plain record, from which another process could go on. */

import { parseMatchRule } from "../matchrules/parse.ts";
import type { MatchRule } from "../matchrules/rule.ts";
import type { Endpoint } from "../routing/endpoint.ts";
import type { Connection } from "../transport/connection.ts";
import type { Credentials } from "../transport/credentials.ts";
import type { MemoryEnd, MemorySnapshot, MemoryTransport } from "../transport/memory-transport.ts";
import type { ActivationEnvironment, EnvironmentRecord } from "./activation-environment.ts";
import type { Bus } from "./bus.ts";
import type { NameRecord } from "./names.ts";

/** A peer's whole state. */
export interface PeerRecord {
  readonly index: number;
  /** "" before Hello. */
  readonly uniqueName: string;
  readonly processId: number | null;
  readonly userId: number | null;
  readonly groupId: number | null;
  readonly groups: readonly number[] | null;
  /** The handshake where it stands, or null when it is over. */
  readonly authentication: ReturnType<Connection["snapshotAuthentication"]>;
  /** Serial of the last message that the bus itself sent here. */
  readonly lastSerial: number;
  readonly lastSequence: number;
  /** Number of messages that were accepted from here. */
  readonly acceptedCount: number;
  /** Bytes of the stream consumed so far. */
  readonly consumedBytes: number;
  /** Canonical texts, one for each time a rule was added. */
  readonly rules: readonly string[];
  /** What a monitor wants to see, in canonical texts; null for a peer that is none. */
  readonly monitorRules: readonly string[] | null;
  /** Calls that wait for a reply, oldest first. */
  readonly replies: readonly { readonly serial: number; readonly callee: number }[];
  /** Partial input and unsent output. */
  readonly stream: MemorySnapshot;
}

export interface BusSnapshot {
  readonly guid: string;
  readonly sequence: number;
  readonly uniqueNameCount: number;
  /** Serial of the last signal that the bus sent to everybody. */
  readonly broadcastSerial: number;
  readonly peers: readonly PeerRecord[];
  readonly names: readonly NameRecord[];
  readonly environment: EnvironmentRecord;
  /** Messages whose destination was being found. */
  readonly waiting: readonly WaitingRecord[];
}

/** A message that was accepted from a peer and has not gone anywhere yet. */
export interface WaitingRecord {
  readonly peer: number;
  readonly message: Uint8Array;
}

/**
 * The record of `bus`; throws if a peer is not a memory connection, or if the bus waits for an answer
 * from a name authority, whose promise nobody could keep elsewhere. A peer that has been disconnected
 * is not in it, even if it has not read its last bytes yet.
 */
export function snapshotBus(
  bus: Bus,
  broadcastSerial: number,
  environment: ActivationEnvironment,
  transportOf: (endpoint: Endpoint) => MemoryTransport | null,
): BusSnapshot {
  const peers = [...bus.directory.endpoints()].map((endpoint) => {
    const transport = transportOf(endpoint);
    if (transport === null) throw new Error(`${endpoint.description} is not an in-process peer`);
    if (endpoint.connection.isPaused && endpoint.connection.isAuthenticated) {
      throw new Error(`${endpoint.description} waits for the name authority's answer`);
    }
    return peerRecord(bus, endpoint, transport);
  });
  return {
    guid: bus.guid,
    sequence: bus.router.sequence.last,
    uniqueNameCount: bus.names.uniqueNameCount,
    broadcastSerial,
    peers,
    names: bus.names.snapshot(),
    environment: environment.snapshot(),
    waiting: [...bus.router.pending.entries()].flatMap(([, waiting]) =>
      waiting.map(({ sender, memory, byteLength }) => ({
        peer: sender.index,
        message: memory.bytes.slice(0, byteLength),
      })),
    ),
  };
}

function peerRecord(bus: Bus, endpoint: Endpoint, transport: MemoryTransport): PeerRecord {
  const { connection } = endpoint;
  const { processId, userId, groupId, groups } = connection.credentials;
  return {
    index: endpoint.index,
    uniqueName: endpoint.uniqueName,
    processId,
    userId,
    groupId,
    groups,
    authentication: connection.snapshotAuthentication(),
    lastSerial: endpoint.lastSerial,
    lastSequence: endpoint.lastSequence,
    // What waits is accepted again.
    acceptedCount: endpoint.acceptedCount - bus.router.pending.waitingOf(endpoint).messages,
    consumedBytes: connection.consumedBytes,
    rules: bus.subscriptions.rulesOf(endpoint.index),
    monitorRules: endpoint.isMonitor ? bus.router.monitors.rulesOf(endpoint) : null,
    replies: [...bus.router.replies.pendingOf(endpoint.index)].map(({ serial, callee }) => ({
      serial,
      callee,
    })),
    stream: transport.snapshot(),
  };
}

/** Fills a new bus from `record`; `connect` makes each peer's connection and registers it. */
export function restoreBus(
  bus: Bus,
  record: BusSnapshot,
  connect: (
    peer: PeerRecord,
    credentials: Credentials,
    state: MemorySnapshot,
  ) => { end: MemoryEnd; endpoint: Endpoint },
): Map<string, MemoryEnd> {
  const ends = new Map<string, MemoryEnd>();
  for (const peer of record.peers) {
    const { processId, userId, groupId, groups } = peer;
    const credentials: Credentials = {
      processId,
      userId,
      groupId,
      groups,
      securityLabel: null,
      processDescriptor: null,
    };
    const { end, endpoint } = connect(peer, credentials, peer.stream);
    endpoint.connection.restoreAuthentication(peer.authentication);
    endpoint.lastSerial = peer.lastSerial;
    endpoint.lastSequence = peer.lastSequence;
    endpoint.acceptedCount = peer.acceptedCount;
    endpoint.connection.consumedBytes = peer.consumedBytes;
    for (const text of peer.rules) bus.subscriptions.add(endpoint.index, ruleOf(peer, text));
    if (peer.monitorRules !== null) {
      endpoint.uniqueName = peer.uniqueName;
      endpoint.isMonitor = true;
      const rules = peer.monitorRules.map((text) => ruleOf(peer, text));
      bus.router.monitors.add(endpoint, rules);
    }
    ends.set(peer.uniqueName === "" ? `#${peer.index}` : peer.uniqueName, end);
  }
  bus.names.restore(record.names, (index) => endpointAt(bus, index));
  for (const name of record.names) {
    const primary = bus.names.primaryOwner(name.name);
    if (primary !== null) bus.directory.assign(name.name, primary);
  }
  for (const peer of record.peers) {
    for (const { serial, callee } of peer.replies) {
      bus.router.replies.expect(peer.index, serial, callee);
    }
  }
  return ends;
}

/** Canonical texts quote every value, and may so be longer than what was added. */
function ruleOf(peer: PeerRecord, text: string): MatchRule {
  const rule = parseMatchRule(text, Number.POSITIVE_INFINITY);
  if ("code" in rule) throw new Error(`rule ${text} of ${peer.uniqueName}: ${rule.text}`);
  return rule;
}

function endpointAt(bus: Bus, index: number): Endpoint {
  const endpoint = bus.directory.at(index);
  if (endpoint === null) throw new Error(`the record has no peer ${index}`);
  return endpoint;
}
