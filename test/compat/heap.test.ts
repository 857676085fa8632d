/** V8 knows the option that keeps its young generation small, in every version of Node. */

import { spawnSync } from "node:child_process";
import { expect, test } from "@jest/globals";
import { growthOption } from "../../compat/dbus-daemon/heap.ts";

test("the option is known", () => {
  const script = `process.getBuiltinModule("node:v8").setFlagsFromString("${growthOption}")`;
  const { status, stdout, stderr } = spawnSync(process.execPath, ["-e", script], {
    encoding: "utf8",
  });
  expect([status, stdout, stderr]).toEqual([0, "", ""]);
});
