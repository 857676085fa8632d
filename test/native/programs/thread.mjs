/** A worker thread that leaves in the way workerData.leave says, with a poller full of life. */

import { parentPort, workerData } from "node:worker_threads";
import { createPoller, loadAddonFrom } from "./poller.mjs";

const addon = loadAddonFrom(workerData.addonFile);
const onRecord = () => {
  if (workerData.leave === "throw") throw new Error("thrown in onTurn");
  if (workerData.leave === "exit in a turn") process.exit(3);
  if (workerData.leave === "spin") {
    parentPort.postMessage("spinning");
    for (;;);
  }
  if (workerData.leave === "stop in a turn") poller.stop();
  parentPort.postMessage("turn");
};
const poller = createPoller(addon, onRecord, { isHost: workerData.isHost });
poller.addConnection(workerData.connection);
poller.addListener(
  addon.listenUnix(`onehop-thread-${process.pid}-${workerData.leave}`, true, 1),
  1,
);
poller.addSegment(new ArrayBuffer(1 << 16));
poller.retainDescriptors(poller.putDescriptors([addon.memoryDescriptor(Buffer.from("kept"))]));
if (workerData.leave === "exit") process.exit(3);
