/** Some of the configurations that `configurations.ts` compares by the thousand. */

import { expect } from "@jest/globals";
import { testWithProgram } from "../compat/programs.ts";
import { generator } from "../fuzz/random.ts";
import { compareConfigurations } from "./compare-configurations.ts";

testWithProgram(
  "dbus-daemon",
  "generated configurations mean what they mean to dbus-daemon",
  async () => {
    const { accepted, refused, failures } = await compareConfigurations(generator(1), 60);
    expect(failures).toEqual([]);
    expect(accepted).toBeGreaterThan(5);
    expect(refused).toBeGreaterThan(20);
  },
);
