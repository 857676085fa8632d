/** Policies for the bus of a test file: every case has rules of its own, about an interface and names of its own. */

import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll } from "@jest/globals";
import type { Client, ClientOptions } from "./client.ts";
import { type CaseOptions, conformance, notRun, type Scene, useBus } from "./conformance.ts";
import { chosenBus } from "./daemons.ts";
import { serviceFile } from "./services.ts";

const BROKER = "its launcher here knows one policy, which allows everything";
export const NOBODY = 65_534;

/** The words that a case puts in for its own interface, name and member. */
export interface Words {
  readonly interface: string;
  readonly name: string;
  readonly member: string;
  readonly path: string;
}

/** The policy of one bus, put together from the rules of its cases. */
export class Policies {
  readonly folder: string = mkdtempSync(join(tmpdir(), "conformance-policies-"));
  readonly #rules: string[] = [];
  #count = 0;

  constructor() {
    chmodSync(this.folder, 0o755);
  }

  get configuration(): `/${string}` {
    return `/${join(this.folder, "bus.conf").slice(1)}`;
  }

  /** Words that no other case uses. */
  newWords(): Words {
    const number = ++this.#count;
    return {
      interface: `org.example.policy.I${number}`,
      name: `org.example.policy.N${number}`,
      member: `M${number}`,
      path: `/org/example/policy/p${number}`,
    };
  }

  /** Adds rules, which stand in a policy of the default context unless they bring their own. */
  add(rules: string): void {
    const isWhole = rules.includes("<policy");
    this.#rules.push(isWhole ? rules : `<policy context="default">${rules}</policy>`);
  }

  /** A service file for `name`. */
  service(name: string, exec: string): void {
    writeFileSync(join(this.folder, `${name}.service`), serviceFile(name, exec));
  }

  /** Writes the configuration with all rules so far, after ones that allow everything. */
  write(): void {
    writeFileSync(
      this.configuration,
      `<busconfig><type>session</type><listen>unix:tmpdir=/tmp</listen><auth>EXTERNAL</auth>
<servicedir>${this.folder}</servicedir>
<policy context="default"><allow user="*"/><allow own="*"/>
<allow send_destination="*" eavesdrop="true"/><allow eavesdrop="true"/></policy>
${this.#rules.join("\n")}
</busconfig>`,
    );
  }

  end(): void {
    rmSync(this.folder, { recursive: true, force: true });
  }
}

/** Starts one bus for the cases of a test file, which add their rules as they are declared. */
export function usePolicies(): Policies {
  const policies = new Policies();
  useBus({ configuration: policies.configuration, prepare: () => policies.write() });
  afterAll(() => policies.end());
  return policies;
}

/** Declares a case under `rules`, in which the words in capitals stand for the case's own. */
export function policyCase(
  policies: Policies,
  sentence: string,
  rules: string,
  body: (scene: Scene, words: Words) => Promise<void>,
  options: Partial<CaseOptions> = {},
): void {
  const words = policies.newWords();
  policies.add(
    rules
      .replaceAll("INTERFACE", words.interface)
      .replaceAll("NAME", words.name)
      .replaceAll("MEMBER", words.member)
      .replaceAll("PATH", words.path)
      .replaceAll("NOBODY", String(NOBODY))
      .replaceAll("ME", String(process.getuid?.())),
  );
  const withheld = { "dbus-broker": BROKER, ...options.withheld };
  conformance(sentence, { spec: "dbus-daemon: policy", ...options, withheld }, async (scene) => {
    // Whose bus it is: it has a policy of its own.
    if (chosenBus.startsWith("address=")) notRun("no bus of the suite's own");
    else await body(scene, words);
  });
}

/** A client that is another user, or null after saying that this cannot be tried here. */
export async function stranger(
  scene: Scene,
  options: ClientOptions = {},
  groups: readonly number[] = [],
): Promise<Client | null> {
  if (process.getuid?.() === 0) {
    return scene.peer(options, { uid: NOBODY, gid: NOBODY, groups });
  }
  notRun("only root can be somebody else");
  return null;
}
