/** The example of client/README.md, as users run it. */

import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { expect, test } from "@jest/globals";
import { startBus } from "../../bus/start-bus.ts";
import { builtProgram } from "../compat/daemon-process.ts";

const run = promisify(execFile);
const OUTPUT = `reply  Hello, world!
signal world Map(2) {
  'language' => Variant { signature: 's', value: 'en' },
  'times' => Variant { signature: 'u', value: 1 }
}
error  org.freedesktop.DBus.Error.UnknownObject
`;

test("it runs in its own process, on a bus of its own", async () => {
  const { stdout } = await run(process.execPath, [builtProgram("examples/02-client.js")]);
  expect(stdout).toBe(OUTPUT);
});

test("it runs on a bus of somebody else, with the addon and without it", async () => {
  const bus = await startBus({ listen: ["unix:tmpdir=/tmp"] });
  const words = [builtProgram("examples/02-client.js"), bus.address];
  try {
    for (const ONEHOP_ADDON of ["", "none"]) {
      const env = { ...process.env, ONEHOP_ADDON };
      expect((await run(process.execPath, words, { env })).stdout).toBe(OUTPUT);
    }
  } finally {
    await bus.stop();
  }
});
