/** A bus that every user may connect to, with small limits, and cases about them. */

import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll } from "@jest/globals";
import { type CaseOptions, conformance, notRun, type Scene, useBus } from "./conformance.ts";
import { chosenBus } from "./daemons.ts";

const BROKER = "it has four limits of another kind, each for all that a user has";

/** Starts one bus with these `<limit>` elements, by dbus-daemon's names, for the cases of a test file. */
export function useLimits(limits: Readonly<Record<string, number>>): void {
  const folder = mkdtempSync(join(tmpdir(), "conformance-limits-"));
  const configuration: `/${string}` = `/${join(folder, "bus.conf").slice(1)}`;
  const elements = Object.entries(limits).map(
    ([name, value]) => `<limit name="${name}">${value}</limit>`,
  );
  writeFileSync(
    configuration,
    `<busconfig><type>session</type><listen>unix:tmpdir=/tmp</listen><auth>EXTERNAL</auth>
    ${elements.join("\n")}
    <policy context="default">
      <allow user="*"/><allow send_destination="*" eavesdrop="true"/><allow eavesdrop="true"/><allow own="*"/>
    </policy></busconfig>`,
  );
  useBus({ configuration });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));
}

/** Declares a case about a limit. */
export function limit(
  sentence: string,
  name: string,
  body: (scene: Scene) => Promise<void>,
  options: Omit<CaseOptions, "spec"> = {},
): void {
  const withheld = { "dbus-broker": BROKER, ...options.withheld };
  conformance(sentence, { ...options, withheld, spec: `dbus-daemon: ${name}` }, async (scene) => {
    // Whose bus it is: it has limits of its own.
    if (chosenBus.startsWith("address=")) notRun("no bus of the suite's own");
    else await body(scene);
  });
}
