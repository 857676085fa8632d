/** Loads a bus configuration file and everything it includes, as dbus-daemon does. */

import { closeSync, existsSync, fstatSync, openSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import type { Limits, PolicyRule, ServiceDirectory } from "../../bus/index.ts";
import { isMechanism, MECHANISMS, type Mechanism } from "../../transport/mechanism.ts";
import { parseXml, type XmlElement } from "../../xml/parse.ts";
import { type ConfigurationChoice, standardConfigurationPath } from "./arguments.ts";
import type { Configuration, Problem } from "./configuration.ts";
import { checkShape, problemAt } from "./element-shape.ts";
import { parseLimit } from "./limit-element.ts";
import { readPolicy } from "./policy-elements.ts";
import { isSelinuxActive, readAppArmor, readSelinux } from "./security-elements.ts";
import {
  standardSessionDirectories,
  systemServiceDirectories,
  transientServiceDirectory,
} from "./service-directories.ts";
import { builtInConfiguration } from "./standard-configurations.ts";
import { describeError, systemErrorCode } from "./system-error.ts";

export type LoadResult =
  | { readonly configuration: Configuration; readonly problem: null }
  | { readonly configuration: null; readonly problem: Problem };

/** Loads the chosen configuration; `environment` decides where service files are looked for. */
export function loadConfiguration(
  choice: ConfigurationChoice,
  environment: Readonly<Record<string, string | undefined>> = process.env,
): LoadResult {
  const path = choice.kind === "file" ? choice.path : standardConfigurationPath[choice.kind];
  const loader = new Loader(environment);
  if (choice.kind !== "file" && !existsSync(path)) {
    loader.warn(path, null, "not installed; the configuration built into onehop is used instead");
    return loader.finish(path, loader.readText(path, builtInConfiguration[choice.kind]));
  }
  return loader.finish(path, loader.readFile(path, false));
}

/** Everything read so far. Copied before a file that may be dropped as a whole. */
interface Draft {
  type: string | null;
  user: string | null;
  pidFile: string | null;
  forks: boolean;
  keepsUmask: boolean;
  usesSyslog: boolean;
  allowsAnonymous: boolean;
  transientServiceDirectory: string | null;
  limits: Partial<Record<keyof Limits, number>>;
  readonly unenforcedLimits: string[];
  readonly listen: string[];
  readonly authentication: Mechanism[];
  readonly serviceDirectories: ServiceDirectory[];
  serviceHelper: string | null;
  readonly policyRules: PolicyRule[];
  readonly warnings: Problem[];
}

/** The element that asks for another file. */
interface Includer {
  readonly file: string;
  readonly element: XmlElement;
}

// Elements that are only there or not, and those that hold a text.
const flagElements = [
  ...["fork", "keep_umask", "syslog", "allow_anonymous"],
  ...["standard_session_servicedirs", "standard_system_servicedirs", "selinux", "apparmor"],
];
const textElements = [
  ...["type", "user", "pidfile", "listen", "auth", "servicedir", "servicehelper"],
  ...["include", "includedir", "limit"],
];
const attributesOf: Readonly<Record<string, readonly string[]>> = {
  include: ["ignore_missing", "if_selinux_enabled", "selinux_root_relative"],
  limit: ["name"],
  apparmor: ["mode"],
};

/** Reads files into one draft; every method returns what stopped it, or `null`. */
class Loader {
  readonly #environment: Readonly<Record<string, string | undefined>>;
  /** Device and inode of the files being read, to notice a file that includes itself. */
  readonly #open: string[];
  #draft: Draft;

  constructor(environment: Readonly<Record<string, string | undefined>>) {
    this.#environment = environment;
    this.#open = [];
    this.#draft = {
      type: null,
      user: null,
      pidFile: null,
      forks: false,
      keepsUmask: false,
      usesSyslog: false,
      allowsAnonymous: false,
      transientServiceDirectory: null,
      limits: {},
      unenforcedLimits: [],
      listen: [],
      authentication: [],
      serviceDirectories: [],
      serviceHelper: null,
      policyRules: [],
      warnings: [],
    };
  }

  warn(file: string, element: XmlElement | null, text: string): void {
    this.#draft.warnings.push(problemAt(file, element, text));
  }

  finish(path: string, problem: Problem | null): LoadResult {
    if (problem !== null) return { configuration: null, problem };
    const configuration = this.#draft;
    if (configuration.listen.length === 0) {
      const text = "needs one or more <listen> elements with addresses";
      return { configuration: null, problem: problemAt(path, null, text) };
    }
    return { configuration, problem: null };
  }

  /** Reads one file, for `includer` if there is one. A missing one is no problem if `mayBeMissing`. */
  readFile(path: string, mayBeMissing: boolean, includer: Includer | null = null): Problem | null {
    const refuse = (text: string): Problem =>
      includer === null
        ? problemAt(path, null, text)
        : problemAt(includer.file, includer.element, `${path}: ${text}`);
    let text: string;
    let identity: string;
    try {
      const descriptor = openSync(path, "r");
      try {
        const { dev, ino } = fstatSync(descriptor);
        identity = `${dev}:${ino}`;
        const bytes = readFileSync(descriptor);
        text = new TextDecoder("utf-8", { fatal: true }).decode(bytes);
      } finally {
        closeSync(descriptor);
      }
    } catch (error) {
      if (mayBeMissing && systemErrorCode(error) === "ENOENT") return null;
      return refuse(`cannot be read: ${describeError(error)}`);
    }
    if (this.#open.includes(identity)) return refuse("circular inclusion");
    this.#open.push(identity);
    const problem = this.readText(path, text);
    this.#open.pop();
    return problem;
  }

  readText(file: string, text: string): Problem | null {
    const { root, problem } = parseXml(text);
    if (problem !== null) {
      return {
        file,
        line: problem.line,
        element: "",
        text: `${problem.message} (column ${problem.column})`,
      };
    }
    if (root.name !== "busconfig") return problemAt(file, root, "the root must be <busconfig>");
    const unexpected = checkShape(file, root, [], false);
    if (unexpected !== null) return unexpected;
    for (const element of root.children) {
      const stopped = this.#readElement(file, element);
      if (stopped !== null) return stopped;
    }
    return null;
  }

  #readElement(file: string, element: XmlElement): Problem | null {
    if (element.name === "policy") return this.#readPolicy(file, element);
    const isFlag = flagElements.includes(element.name);
    if (!isFlag && !textElements.includes(element.name)) {
      return problemAt(file, element, "is not allowed inside <busconfig>");
    }
    const unexpected = checkShape(file, element, attributesOf[element.name] ?? [], !isFlag);
    if (unexpected !== null) return unexpected;
    if (isFlag) return this.#readFlag(file, element);
    if (element.text === "") return problemAt(file, element, "must not be empty");
    return this.#readTextElement(file, element, element.text);
  }

  #readFlag(file: string, element: XmlElement): Problem | null {
    const draft = this.#draft;
    switch (element.name) {
      case "fork":
        draft.forks = true;
        return null;
      case "keep_umask":
        draft.keepsUmask = true;
        return null;
      case "syslog":
        draft.usesSyslog = true;
        return null;
      case "allow_anonymous":
        draft.allowsAnonymous = true;
        return null;
      case "standard_session_servicedirs":
        draft.transientServiceDirectory = transientServiceDirectory(this.#environment);
        standardSessionDirectories(this.#environment).forEach(this.#addServiceDirectory);
        return null;
      case "standard_system_servicedirs":
        for (const path of systemServiceDirectories()) this.#addServiceDirectory({ path });
        return null;
      case "selinux":
        return this.#readSecurity(file, element, readSelinux);
      default:
        return this.#readSecurity(file, element, readAppArmor);
    }
  }

  #readTextElement(file: string, element: XmlElement, text: string): Problem | null {
    const draft = this.#draft;
    switch (element.name) {
      case "type":
        draft.type = text;
        return null;
      case "user":
        draft.user = text;
        return null;
      case "pidfile":
        draft.pidFile = text;
        return null;
      case "listen":
        draft.listen.push(text);
        return null;
      case "auth":
        return this.#readMechanism(file, element, text);
      case "servicedir":
        this.#addServiceDirectory({ path: fullPath(file, text) });
        return null;
      case "servicehelper":
        draft.serviceHelper = text;
        return null;
      case "include":
        return this.#include(file, element, text);
      case "includedir":
        return this.#includeDirectory(file, element, fullPath(file, text));
      default:
        return this.#readLimit(file, element, text);
    }
  }

  /** A directory that is named twice has the first place, and the demands of neither, as in dbus-daemon. */
  readonly #addServiceDirectory = (directory: ServiceDirectory): void => {
    const { serviceDirectories } = this.#draft;
    const at = serviceDirectories.findIndex(({ path }) => path === directory.path);
    if (at < 0) serviceDirectories.push(directory);
    else if (directory.mustMatchNames !== true) serviceDirectories[at] = directory;
  };

  #readMechanism(file: string, element: XmlElement, name: string): Problem | null {
    // dbus-daemon refuses a configuration with any other.
    if (!isMechanism(name)) {
      const known = MECHANISMS.join(", ");
      return problemAt(file, element, `there is no mechanism "${name}", only ${known}`);
    }
    this.#draft.authentication.push(name);
    return null;
  }

  #readLimit(file: string, element: XmlElement, text: string): Problem | null {
    const name = element.attributes.get("name");
    if (name === undefined) return problemAt(file, element, 'must have the attribute "name"');
    const limit = parseLimit(name, text);
    if (limit.problem !== null) return problemAt(file, element, limit.problem);
    if (limit.warning !== null) this.warn(file, element, limit.warning);
    const { limits, unenforcedLimits } = this.#draft;
    if (limit.key !== null) limits[limit.key] = limit.value;
    else if (!unenforcedLimits.includes(name)) unenforcedLimits.push(name);
    return null;
  }

  #readSecurity(file: string, element: XmlElement, read: typeof readSelinux): Problem | null {
    const { problem, warning } = read(file, element);
    if (warning !== null) this.warn(file, element, warning);
    return problem;
  }

  #readPolicy(file: string, element: XmlElement): Problem | null {
    if (element.text.trim() !== "") return problemAt(file, element, "no text is expected inside");
    const policy = readPolicy(element, file);
    if ("problem" in policy) return problemAt(file, policy.element, policy.problem);
    this.#draft.policyRules.push(...policy.rules);
    for (const warning of policy.warnings) this.warn(file, warning.element, warning.text);
    return null;
  }

  #include(file: string, element: XmlElement, text: string): Problem | null {
    for (const [name, value] of element.attributes) {
      if (value !== "yes" && value !== "no") {
        return problemAt(file, element, `${name} must be "yes" or "no"`);
      }
    }
    const isSet = (name: string): boolean => element.attributes.get(name) === "yes";
    if (isSet("if_selinux_enabled")) {
      // Its contents only say how SELinux labels names, which this bus does not ask about.
      if (isSelinuxActive())
        this.warn(file, element, "left out: names are not labelled for SELinux");
      return null;
    }
    if (isSet("selinux_root_relative")) {
      return problemAt(file, element, "the root of the SELinux policy is not known");
    }
    return this.readFile(fullPath(file, text), isSet("ignore_missing"), { file, element });
  }

  #includeDirectory(file: string, element: XmlElement, directory: string): Problem | null {
    let names: string[];
    try {
      names = readdirSync(directory);
    } catch (error) {
      if (systemErrorCode(error) === "ENOENT") return null;
      return problemAt(file, element, `${directory} cannot be read: ${describeError(error)}`);
    }
    // dbus-daemon takes the order of the directory; a sorted one is the same on every machine.
    for (const name of names.filter((name) => name.endsWith(".conf")).sort()) {
      const before = copyOf(this.#draft);
      const problem = this.readFile(join(directory, name), true, { file, element });
      if (problem === null) continue;
      // One bad file of some package must not keep the whole bus from starting: it is left out.
      this.#draft = before;
      before.warnings.push({ ...problem, text: `${problem.text}; the whole file is left out` });
    }
    return null;
  }
}

function copyOf(draft: Draft): Draft {
  return {
    ...draft,
    limits: { ...draft.limits },
    unenforcedLimits: [...draft.unenforcedLimits],
    listen: [...draft.listen],
    authentication: [...draft.authentication],
    serviceDirectories: [...draft.serviceDirectories],
    policyRules: [...draft.policyRules],
    warnings: [...draft.warnings],
  };
}

function fullPath(file: string, path: string): string {
  return resolve(dirname(file), path);
}
