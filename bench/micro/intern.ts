/** Finding the id of bytes: done for each string of a header. */

import { bench, boxplot, do_not_optimize, run } from "mitata";
import { Strings } from "../../wire/intern.ts";
import { Memory } from "../../wire/memory.ts";

const HELD = 4000;
const strings = new Strings();
for (let i = 0; i < HELD; i++) strings.hold(`org.example.Application${i}`);
const known = Buffer.from("org.example.Application1234");
const knownMemory = Memory.of(known);
const path = Buffer.from("/org/freedesktop/systemd1/unit/dbus_2dbroker_2eservice");
const pathMemory = Memory.of(path);
strings.hold(path.toString());
const unknown = Buffer.from("org.example.Application1234x");
const unknownMemory = Memory.of(unknown);

boxplot(() => {
  bench(`find ${known.length} bytes among ${strings.size} strings`, () =>
    do_not_optimize(strings.find(knownMemory, 0, known.length)),
  );
  bench(`find a path of ${path.length} bytes`, () =>
    do_not_optimize(strings.find(pathMemory, 0, path.length)),
  );
  bench("find nothing", () => do_not_optimize(strings.find(unknownMemory, 0, unknown.length)));
});

run({ colors: process.stdout.isTTY === true });
