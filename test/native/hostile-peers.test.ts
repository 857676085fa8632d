/** What one peer does to others: floods that leave no room, and buffers for peers that take nothing. */

import { afterEach, beforeEach, expect, test } from "@jest/globals";
import { RecordKind } from "../../native/binding.ts";
import { openDescriptors, openedSince } from "../support/descriptors.ts";
import { addon, pattern, Rig } from "./rig.ts";

let before: ReadonlySet<string>;
let rig: Rig;
let closeLater: number[] = [];

beforeEach(() => {
  before = openDescriptors();
  rig = new Rig({ receiveLength: 140_000 });
});

afterEach(() => {
  rig.poller.stop();
  for (const fd of closeLater) addon.closeDescriptor(fd);
  closeLater = [];
  expect(openedSince(before)).toEqual([]);
});

function connect(): { slot: number; peer: number } {
  const ends = rig.connect();
  closeLater.push(ends.peer);
  return ends;
}

test("whoever is behind peers that always have more is read all the same", async () => {
  const flooders = [connect(), connect(), connect(), connect()];
  const bytes = pattern(65_536);
  const refill = (): void => {
    for (const { peer } of flooders) addon.send(peer, bytes, []);
  };
  let turns = 0;
  rig.onTurn = () => {
    turns++;
    refill();
  };
  refill();
  await rig.until(() => turns > 5);
  const late = connect();
  addon.send(late.peer, new Uint8Array(1), []);
  const until = turns + 20;
  await rig.until(() => rig.input(late.slot).length === 1 || turns > until);
  expect(rig.input(late.slot)).toHaveLength(1);
});

test("a segment comes back even if none of its destinations takes it", async () => {
  const { slot, peer } = connect();
  addon.closeDescriptor(peer);
  closeLater = [];
  rig.stage(slot, 1, new Uint8Array(1));
  rig.flush();
  await rig.until(() => rig.kinds(RecordKind.SendFailed).length === 1);
  const segment = rig.segment(20_000);
  rig.stage([slot, 40], 2, { segment, offset: 0, length: 20_000 });
  rig.flush();
  await rig.until(() => rig.kinds(RecordKind.SegmentReleased).length === 1);
  expect(rig.poller.removeSegment(segment)).toBe(0);
});
