/** Service files for the bus of a test file, and what the programs that they start say. */

import { execFile, spawnSync } from "node:child_process";
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll } from "@jest/globals";
import { patience } from "./client.ts";
import { type CaseOptions, conformance, notRun, type Scene, useBus } from "./conformance.ts";
import { chosenBus } from "./daemons.ts";

/** A program that ends well at once: whoever takes the name is then taken for its service. */
export const GONE_TO_BACKGROUND = "/bin/true";

/** In a process of its own, that can be ended if nothing comes: opening a named pipe waits for the other end. */
const run = promisify(execFile);

const BROKER = "its launcher here starts nothing";

/** What kind of bus it is that has the services. */
export interface ServicesOptions {
  readonly limits?: Readonly<Record<string, number>>;
  /** Variables for the daemon beside its own. */
  readonly environment?: Readonly<Record<string, string>>;
  /** Default: "session". */
  readonly type?: "session" | "system" | null;
  /** `<servicehelper>`; `stand-in` is a program that does what `Services.helped` says. Default: none. */
  readonly helper?: string;
  readonly usesSystemd?: boolean;
}

/** A folder with a bus configuration and two service directories, of which the first goes before the second. */
export class Services {
  readonly folder: string = mkdtempSync(join(tmpdir(), "conformance-services-"));
  #count = 0;

  constructor({ limits = {}, type = "session", helper }: ServicesOptions) {
    // The daemon need not be the user who runs the tests.
    chmodSync(this.folder, 0o755);
    const directories = ["first", "second", "helped"].map((name) => join(this.folder, name));
    for (const directory of directories) mkdirSync(directory);
    const standIn = join(this.folder, "helper");
    writeFileSync(standIn, `#!/bin/sh\n. "${this.folder}/helped/$1"\n`, { mode: 0o755 });
    const elements = [
      ...(type === null ? [] : [`<type>${type}</type>`]),
      ...(helper === undefined
        ? []
        : [`<servicehelper>${helper.replace("stand-in", standIn)}</servicehelper>`]),
      ...directories.slice(0, 2).map((directory) => `<servicedir>${directory}</servicedir>`),
      ...Object.entries(limits).map(([name, value]) => `<limit name="${name}">${value}</limit>`),
    ];
    writeFileSync(
      this.configuration,
      `<busconfig><listen>unix:tmpdir=/tmp</listen><auth>EXTERNAL</auth>
      ${elements.join("\n")}
      <policy context="default">
        <allow user="*"/><allow send_destination="*" eavesdrop="true"/><allow eavesdrop="true"/><allow own="*"/>
      </policy></busconfig>`,
    );
  }

  get configuration(): `/${string}` {
    return `/${join(this.folder, "bus.conf").slice(1)}`;
  }

  /** A name that no other case uses. */
  newName(): string {
    return `org.example.Service${++this.#count}`;
  }

  /** A new name for which `exec` is started; `more` are further lines of its file. */
  service(exec: string, ...more: readonly string[]): string {
    const name = this.newName();
    this.write(`first/${name}.service`, serviceFile(name, exec, ...more));
    return name;
  }

  /** A new name of a service of somebody else, for which the stand-in for the helper does `lines`. */
  helped(...lines: readonly string[]): string {
    const name = this.service("/bin/false", "User=nobody");
    this.write(`helped/${name}`, `${lines.join("\n")}\n`);
    return name;
  }

  write(file: string, content: string | Uint8Array): void {
    writeFileSync(join(this.folder, file), content);
  }

  remove(file: string): void {
    rmSync(join(this.folder, file));
  }

  /** A program in the language of sh. */
  script(...lines: readonly string[]): string {
    const path = join(this.folder, `script${++this.#count}.sh`);
    writeFileSync(path, ["#!/bin/sh", ...lines, ""].join("\n"), { mode: 0o755 });
    return path;
  }

  /**
   * A named pipe, how to wait for everything that is written to it until it is closed, and how to write to who
   * reads it.
   */
  report(): { readonly path: string; read(): Promise<string>; write(text: string): void } {
    const path = join(this.folder, `report${++this.#count}`);
    const { status } = spawnSync("mkfifo", ["-m", "666", path]);
    if (status !== 0) throw new Error(`mkfifo ${path}: ${status}`);
    return {
      path,
      read: async () => (await run("cat", [path], { timeout: patience.ms })).stdout,
      write: (text) => {
        const words = ["-c", 'printf %s "$1" > "$2"', "sh", text, path];
        // Who does not read it has failed in another way already.
        run("sh", words, { timeout: patience.ms }).catch(() => {});
      },
    };
  }

  end(): void {
    rmSync(this.folder, { recursive: true, force: true });
  }
}

export function serviceFile(name: string, exec: string, ...more: readonly string[]): string {
  return ["[D-BUS Service]", `Name=${name}`, `Exec=${exec}`, ...more, ""].join("\n");
}

/** Starts one bus with service directories for the cases of a test file. */
export function useServices(options: ServicesOptions = {}): Services {
  const services = new Services(options);
  const { environment = {}, usesSystemd = false } = options;
  useBus({ configuration: services.configuration, environment, usesSystemd });
  afterAll(() => services.end());
  return services;
}

/** Declares a case about services that are started. */
export function activation(
  sentence: string,
  options: CaseOptions,
  body: (scene: Scene) => Promise<void>,
): void {
  const withheld = { "dbus-broker": BROKER, ...options.withheld };
  conformance(sentence, { ...options, withheld }, async (scene) => {
    // Whose bus it is: it looks for service files elsewhere.
    if (chosenBus.startsWith("address=")) notRun("no bus of the suite's own");
    else await body(scene);
  });
}
