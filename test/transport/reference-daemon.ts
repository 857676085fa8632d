/** A dbus-daemon of our own whose handshake and addresses are compared with ours. */

import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** Is dbus-daemon there? Says so if it is not; an error if it has to be. */
export function hasReferenceDaemon(purpose: string): boolean {
  if (spawnSync("dbus-daemon", ["--version"]).status === 0) return true;
  const reason = "dbus-daemon is not installed";
  if (process.env["ONEHOP_REQUIRE_PEERS"] === "1") throw new Error(`${purpose}: ${reason}`);
  process.stderr.write(`not run: ${purpose}: ${reason}\n`);
  return false;
}

export class ReferenceDaemon {
  /** As printed, with its GUID. */
  readonly address: string;
  readonly guid: string;
  /** Ours alone, removed in the end; the socket lies there as "bus" unless another address was asked for. */
  readonly directory: string;
  readonly #process: ChildProcess;

  private constructor(process: ChildProcess, address: string, directory: string) {
    this.#process = process;
    this.address = address;
    this.guid = /guid=([0-9a-f]{32})/.exec(address)?.[1] ?? "";
    this.directory = directory;
  }

  get socketPath(): string {
    return join(this.directory, "bus");
  }

  /**
   * Starts one at `address` ("DIRECTORY" in it stands for its directory, which is also the home where it has
   * its cookies) that accepts these mechanisms. `more` goes into its configuration.
   */
  static async start(
    address = "unix:path=DIRECTORY/bus",
    mechanisms: readonly string[] = ["EXTERNAL"],
    more = "",
  ): Promise<ReferenceDaemon> {
    const directory = mkdtempSync(join(tmpdir(), "onehop-reference-"));
    const configuration = join(directory, "bus.conf");
    writeFileSync(
      configuration,
      '<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN" ' +
        '"http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">' +
        "<busconfig><type>session</type><listen>unix:tmpdir=/tmp</listen>" +
        mechanisms.map((name) => `<auth>${name}</auth>`).join("") +
        more +
        '<policy context="default"><allow send_destination="*"/><allow receive_sender="*"/><allow own="*"/></policy></busconfig>',
    );
    const listened = address.replaceAll("DIRECTORY", directory);
    const daemon = spawn(
      "dbus-daemon",
      [`--config-file=${configuration}`, "--nofork", "--print-address", `--address=${listened}`],
      { stdio: ["ignore", "pipe", "pipe"], env: { ...process.env, HOME: directory } },
    );
    let printed = "";
    let errors = "";
    daemon.stdout.on("data", (chunk) => {
      printed += chunk;
    });
    daemon.stderr.on("data", (chunk) => {
      errors += chunk;
    });
    await Promise.race([once(daemon.stdout, "data"), once(daemon, "close")]);
    const started = new ReferenceDaemon(daemon, printed.trim(), directory);
    if (printed !== "") return started;
    rmSync(directory, { recursive: true });
    throw new Error(errors);
  }

  async stop(): Promise<void> {
    const exited = once(this.#process, "exit");
    this.#process.kill();
    await exited;
    rmSync(this.directory, { recursive: true, force: true });
  }
}
