/** The command line of dbus-daemon(1), with its errors. */

/** Which configuration to load: a file, or one of the two that dbus-daemon installs. */
export type ConfigurationChoice =
  | { readonly kind: "file"; readonly path: string }
  | { readonly kind: "session" }
  | { readonly kind: "system" };

/** Where log lines go; `null` leaves it to the configuration's `<syslog>`. */
export type LogTarget = "stderr" | "syslog" | "both" | null;

export interface DaemonArguments {
  readonly configuration: ConfigurationChoice;
  /** Replaces every `<listen>`; `null` when not given. */
  readonly address: string | null;
  /** Descriptors to print to; `null` when not asked for. */
  readonly printAddress: number | null;
  readonly printPid: number | null;
  /** `null` leaves it to the configuration's `<fork>`. */
  readonly fork: boolean | null;
  readonly usesPidFile: boolean;
  readonly log: LogTarget;
  readonly systemdActivation: boolean;
  /** The policy is not enforced: what it would refuse is told in the log. Ours. */
  readonly complains: boolean;
}

/** What the command line asks for. `refused`: print the text to stderr and exit with status 1. */
export type ArgumentsResult =
  | { readonly kind: "run"; readonly arguments: DaemonArguments }
  | { readonly kind: "version" }
  | { readonly kind: "introspect" }
  | { readonly kind: "refused"; readonly text: string };

export const usage: string =
  "onehop-dbus-daemon [--version] [--session] [--system] [--config-file=FILE]" +
  " [--print-address[=DESCRIPTOR]] [--print-pid[=DESCRIPTOR]] [--introspect] [--address=ADDRESS]" +
  " [--nopidfile] [--nosyslog] [--syslog] [--syslog-only] [--nofork] [--fork]" +
  " [--systemd-activation] [--ready-event-handle=VALUE] [--complain]";

// Options with a value, which may follow `=` or be the next argument, and how dbus-daemon calls the
// value when it comes twice.
const valueOptions: ReadonlyMap<string, string> = new Map([
  ["--config-file", "configuration file "],
  ["--address", "address "],
  ["--print-address", "printing address to "],
  ["--print-pid", "printing pid to "],
  // Windows only; accepted because the manual lists it, and without any effect here.
  ["--ready-event-handle", "event handle "],
]);

/** Reads the arguments that follow the program's name. Nothing is looked up: files are not touched here. */
export function parseArguments(words: readonly string[]): ArgumentsResult {
  const values = new Map<string, string>();
  let standard: "session" | "system" | null = null;
  let printsAddress = false;
  let printsPid = false;
  let fork: boolean | null = null;
  let usesPidFile = true;
  let log: LogTarget = null;
  let systemdActivation = false;
  let complains = false;

  // dbus-daemon reads strictly from left to right: `--version` wins over whatever is wrong after it.
  for (let index = 0; index < words.length; index++) {
    const word = words[index] ?? "";
    const equals = word.indexOf("=");
    const option = equals === -1 ? word : word.slice(0, equals);
    if (valueOptions.has(option)) {
      if (option === "--print-address") printsAddress = true;
      if (option === "--print-pid") printsPid = true;
      let value = equals === -1 ? null : word.slice(equals + 1);
      // dbus-daemon would also take `--print-pid` for the descriptor of `--print-address`.
      if (value === null && index + 1 < words.length && !words[index + 1]?.startsWith("--")) {
        value = words[++index] ?? null;
      }
      if (value === null) continue;
      const earlier = values.get(option) ?? (option === "--config-file" ? pathOf(standard) : "");
      if (earlier !== "") return refuseSecond(option, earlier);
      values.set(option, value);
      continue;
    }
    switch (word) {
      case "--version":
        return { kind: "version" };
      case "--introspect":
        return { kind: "introspect" };
      case "--session":
      case "--system": {
        const earlier = values.get("--config-file") ?? pathOf(standard);
        if (earlier !== "") return refuseSecond("--config-file", earlier, word);
        standard = word === "--session" ? "session" : "system";
        break;
      }
      case "--fork":
        fork = true;
        break;
      case "--nofork":
        fork = false;
        break;
      case "--nopidfile":
        usesPidFile = false;
        break;
      case "--syslog":
        // As in dbus-daemon, a `--syslog` after `--syslog-only` does not bring stderr back.
        log = log === "syslog" ? "syslog" : "both";
        break;
      case "--syslog-only":
        log = "syslog";
        break;
      case "--nosyslog":
        log = "stderr";
        break;
      case "--systemd-activation":
        systemdActivation = true;
        break;
      case "--complain":
        complains = true;
        break;
      default:
        return { kind: "refused", text: usage };
    }
  }

  const file = values.get("--config-file") ?? "";
  if (standard === null && file === "") {
    return { kind: "refused", text: `No configuration file specified.\n${usage}` };
  }
  const printAddress = descriptor(printsAddress, values.get("--print-address") ?? "");
  if (typeof printAddress === "string") return { kind: "refused", text: printAddress };
  const printPid = descriptor(printsPid, values.get("--print-pid") ?? "");
  if (typeof printPid === "string") return { kind: "refused", text: printPid };
  const address = values.get("--address") ?? "";
  return {
    kind: "run",
    arguments: {
      configuration: standard === null ? { kind: "file", path: file } : { kind: standard },
      address: address === "" ? null : address,
      printAddress,
      printPid,
      fork,
      usesPidFile,
      log,
      systemdActivation,
      complains,
    },
  };
}

/** Where dbus-daemon keeps its two standard configurations on every distribution. */
export const standardConfigurationPath = {
  session: "/usr/share/dbus-1/session.conf",
  system: "/usr/share/dbus-1/system.conf",
} as const;

function pathOf(standard: "session" | "system" | null): string {
  return standard === null ? "" : standardConfigurationPath[standard];
}

function refuseSecond(option: string, earlier: string, spelled: string = option): ArgumentsResult {
  const text = `${spelled} specified but ${valueOptions.get(option)}${earlier} already requested`;
  return { kind: "refused", text };
}

/** The descriptor to print to, `null` for none, or the text of the error. */
function descriptor(isAsked: boolean, text: string): number | null | string {
  if (!isAsked) return null;
  if (text === "") return 1;
  // dbus-daemon reads it with strtol(3) in base 0; only decimal numbers are ever passed.
  const number = /^[ \t\n]*\+?\d+$/.test(text) ? Number(text) : -1;
  return number >= 0 && number <= 0x7fff_ffff ? number : `Invalid file descriptor: "${text}"`;
}
