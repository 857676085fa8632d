/** Some generated service files on dbus-daemon and on onehop; `run.ts` does the same with as many as one likes. */

import { expect } from "@jest/globals";
import { builtProgram } from "../daemon-process.ts";
import { testWithProgram } from "../programs.ts";
import { expectedOf, ServiceFiles } from "./verdicts.ts";

const FILES = 60;

for (const [where, usesHelper] of [
  ["", false],
  [", where a helper starts them", true],
] as const) {
  const sentence = `service files mean what they mean to dbus-daemon${where}`;
  testWithProgram("dbus-daemon", sentence, () => judge(usesHelper));
}

async function judge(usesHelper: boolean): Promise<void> {
  const files = new ServiceFiles(3, FILES, usesHelper);
  try {
    const names = files.files.map(({ name }) => name);
    const reference = await files.judge(["dbus-daemon"], names);
    const onehop = [process.execPath, builtProgram("onehop-dbus-daemon.cjs")];
    const ours = await files.judge(onehop, reference.keys());
    expect([...ours.values()]).toEqual([...reference.values()].map(expectedOf));
    // None of the verdicts goes without saying; a third of the files name a user.
    const started = [...ours.values()].filter(({ words }) => words !== null);
    const unlisted = [...ours.values()].filter(({ isListed }) => !isListed);
    expect(started.length).toBeGreaterThan(usesHelper ? FILES / 20 : FILES / 5);
    expect(unlisted.length).toBeGreaterThan(FILES / 5);
  } finally {
    files.remove();
  }
}
