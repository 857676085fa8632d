/** A small poller in plain JavaScript, for the child processes and threads of these tests. */

import { createRequire } from "node:module";

export const loadAddonFrom = (file) => createRequire(import.meta.url)(file);

/** Calls `onRecord` with the words of each record. */
export function createPoller(addon, onRecord, options = {}) {
  const maxSlots = 256;
  const records = new Int32Array(64 * 8);
  return addon.createPoller({
    arena: new ArrayBuffer(1 << 20),
    receiveOffset: 0,
    receiveLength: 1 << 19,
    records,
    operations: new Int32Array(1024),
    maxSlots,
    unsentBytes: new Float64Array(maxSlots),
    unsentFrom: new Float64Array(maxSlots),
    descriptorCounts: new Int32Array(maxSlots),
    isHost: false,
    readLimit: 65536,
    copyLimit: 1024,
    maxQueuedDescriptors: 64,
    maxDescriptors: 1000,
    onTurn: (count) => {
      for (let i = 0; i < count; i++) onRecord(records.subarray(i * 8, i * 8 + 8));
      return 0;
    },
    ...options,
  });
}
