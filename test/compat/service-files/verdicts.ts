/** What a daemon makes of service files: which names it lists, and what it starts for each. */

import { spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { connect } from "../../../client/connect.ts";
import { DBusError } from "../../../client/errors.ts";
import { isWellKnownName } from "../../../wire/names.ts";
import { type GeneratedFile, generateServiceFiles } from "./generate.ts";

/** What became of the request to start one name. */
export interface Verdict {
  readonly name: string;
  readonly isListed: boolean;
  /** `org.freedesktop.DBus.Error.` left out. */
  readonly error: string;
  readonly text: string;
  /** The arguments with which the file's own program was started, or the helper; null if neither was. */
  readonly words: readonly string[] | null;
}

/** The files, and the daemons that are to judge them, in a folder of their own. */
export class ServiceFiles {
  readonly files: readonly GeneratedFile[];
  readonly #folder: string = mkdtempSync(join(tmpdir(), "onehop-service-files-"));

  /** `usesHelper`: a bus whose services a helper starts. */
  constructor(seed: number, count: number, usesHelper: boolean) {
    const [services, programs] = [join(this.#folder, "services"), join(this.#folder, "programs")];
    for (const path of [services, programs]) mkdirSync(path);
    const program = join(this.#folder, "program.sh");
    // It tells how it was called, and fails, so that the bus waits no longer.
    const script = '#!/bin/sh\nprintf "%s\\0" "$#" "$@" > "$0.words"\nexit 7\n';
    writeFileSync(program, script, { mode: 0o755 });
    const helper = join(this.#folder, "helper.sh");
    writeFileSync(helper, script.replace("$0", `${programs}/helper`), { mode: 0o755 });
    this.files = generateServiceFiles(seed, count, programs);
    for (const { name, bytes } of this.files) {
      symlinkSync(program, join(programs, name));
      writeFileSync(join(services, `${name}.service`), bytes);
    }
    writeFileSync(
      join(this.#folder, "bus.conf"),
      `<busconfig><type>session</type><listen>unix:tmpdir=/tmp</listen><auth>EXTERNAL</auth>
      ${usesHelper ? `<servicehelper>${helper}</servicehelper>` : ""}
      <servicedir>${services}</servicedir><limit name="service_start_timeout">10000</limit>
      <policy context="default"><allow send_destination="*"/><allow receive_sender="*"/><allow own="*"/></policy></busconfig>`,
    );
  }

  /** Has `command` judge each of `names`, and those that it lists besides. @throws if it does not start, or ends */
  async judge(command: readonly string[], names: Iterable<string>): Promise<Map<string, Verdict>> {
    const [program = "", ...words] = command;
    const daemon = spawn(
      program,
      [...words, `--config-file=${this.#folder}/bus.conf`, "--nofork", "--print-address"],
      { stdio: ["ignore", "pipe", "ignore"] },
    );
    try {
      const lines = createInterface({ input: daemon.stdout })[Symbol.asyncIterator]();
      const client = await connect(String((await lines.next()).value));
      const driver = { destination: "org.freedesktop.DBus", path: "/org/freedesktop/DBus" };
      const list = await client.call({ ...driver, member: "ListActivatableNames" });
      // It is an array of strings.
      const listed = new Set(list.body[0] as string[]);
      listed.delete(driver.destination);
      const verdicts = new Map<string, Verdict>();
      for (const name of new Set([...names, ...listed])) {
        const start = { member: "StartServiceByName", signature: "su", body: [name, 0] };
        const failure = await client.call({ ...driver, ...start }).then(
          () => ({ error: "", text: "" }),
          (reason: unknown) => {
            if (!(reason instanceof DBusError)) throw reason;
            const error = reason.errorName.replace("org.freedesktop.DBus.Error.", "");
            return { error, text: reason.text };
          },
        );
        const isListed = listed.has(name);
        verdicts.set(name, { name, isListed, ...failure, words: this.#takeWords() });
      }
      await client.close();
      return verdicts;
    } finally {
      daemon.kill("SIGKILL");
    }
  }

  remove(): void {
    rmSync(this.#folder, { recursive: true });
  }

  /** What the program that was just started has said. */
  #takeWords(): readonly string[] | null {
    const said = ["helper", ...this.files.map(({ name }) => name)]
      .map((name) => join(this.#folder, "programs", `${name}.words`))
      .find((path) => readable(path) !== null);
    if (said === undefined) return null;
    const words = readFileSync(said, "utf8").split("\0").slice(1, -1);
    rmSync(said);
    return words;
  }
}

function readable(path: string): string | null {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return null;
  }
}

/**
 * What this bus has to say where dbus-daemon says `reference`: the same, but for a name that is none, which
 * dbus-daemon lists and starts (compat/README.md, "`Name=` of a service file").
 */
export function expectedOf(reference: Verdict): Verdict {
  const { name } = reference;
  if (isWellKnownName(name)) return reference;
  const text = `The name ${name} was not provided by any .service files`;
  return { name, isListed: false, error: "ServiceUnknown", text, words: null };
}
