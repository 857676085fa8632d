/** Loads a bus configuration file and everything it includes, as dbus-daemon does. */

import { existsSync, readdirSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import type { ServiceDirectory } from "../../bus/index.ts";
import { isMechanism, MECHANISMS } from "../../transport/mechanism.ts";
import { parseXml, type XmlElement, type XmlProblem } from "../../xml/parse.ts";
import { type ConfigurationChoice, standardConfigurationPath } from "./arguments.ts";
import type { Configuration, Place, Problem } from "./configuration.ts";
import { readConfigurationText } from "./configuration-text.ts";
import { type Draft, emptyDraft, remember } from "./draft.ts";
import { checkShape, isBlank, problemAt } from "./element-shape.ts";
import { parseLimit } from "./limit-element.ts";
import { type Mention, problemWith } from "./mention.ts";
import { readPolicy } from "./policy-elements.ts";
import {
  lackOfMediation,
  readAppArmorMode,
  readSelinux,
  type SecurityModules,
  securityModules,
} from "./security-elements.ts";
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

/**
 * Files are 1 MiB long at most, in dbus-daemon too. Entities are for a few words that come again and again; expat,
 * which dbus-daemon uses, lets them stand for 8 MiB before it looks at them.
 */
const xmlLimits = { maxCharacters: 1 << 20, maxDepth: 64, maxEntityCharacters: 1 << 16 };

/** What of the machine decides what a configuration means. */
export interface Surroundings {
  /** Where service files are looked for. */
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly security: SecurityModules;
}

/** Loads the chosen configuration; `surroundings` are by default those of this process. */
export function loadConfiguration(
  choice: ConfigurationChoice,
  surroundings: Partial<Surroundings> = {},
): LoadResult {
  const path = resolve(
    choice.kind === "file" ? choice.path : standardConfigurationPath[choice.kind],
  );
  const { environment = process.env, security = securityModules() } = surroundings;
  const loader = new Loader({ environment, security });
  if (choice.kind !== "file" && !existsSync(path)) {
    loader.warn(path, null, "not installed; the configuration built into onehop is used instead");
    return loader.finish(path, loader.readText(path, builtInConfiguration[choice.kind]));
  }
  return loader.finish(path, loader.readFile(path));
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
  readonly #surroundings: Surroundings;
  /** Device and inode of the files being read, to notice a file that includes itself. */
  readonly #open: string[];
  #draft: Draft;
  /** The elements that led to the file being read, the innermost first. */
  #includedFrom: readonly Place[] = [];
  /** Says that a file does not exist: who asked for its includer with `ignore_missing` ignores that, too. */
  #missing: Problem | null = null;
  /** The last one counts, even that of a file which is left out, as in dbus-daemon: it is not forgotten. */
  #appArmor: Mention | null = null;

  constructor(surroundings: Surroundings) {
    this.#surroundings = surroundings;
    this.#open = [];
    this.#draft = emptyDraft();
  }

  warn(file: string, element: XmlElement | null, text: string): void {
    this.#draft.warnings.push(problemAt(file, element, text));
  }

  finish(path: string, problem: Problem | null): LoadResult {
    if (problem !== null) return { configuration: null, problem };
    const unfit = this.#checkMechanisms() ?? this.#checkSecurity(path);
    if (unfit !== null) return { configuration: null, problem: unfit };
    const { selinuxAssociations: _, unknownMechanisms: __, ...configuration } = this.#draft;
    if (configuration.listen.length === 0) {
      const text = "needs one or more <listen> elements with addresses";
      return { configuration: null, problem: problemAt(path, null, text) };
    }
    return { configuration, problem: null };
  }

  #checkSecurity(path: string): Problem | null {
    const { selinuxAssociations, warnings } = this.#draft;
    const { security } = this.#surroundings;
    const told = lackOfMediation(path, selinuxAssociations, this.#appArmor, security);
    warnings.push(...told.warnings);
    return told.problem;
  }

  /** dbus-daemon looks at them when it has read everything: a file that asks for one is not left out. */
  #checkMechanisms(): Problem | null {
    const [unknown] = this.#draft.unknownMechanisms;
    if (unknown === undefined) return null;
    const known = MECHANISMS.join(", ");
    return problemWith(unknown, `there is no mechanism "${unknown.element.text}", only ${known}`);
  }

  #mention(file: string, element: XmlElement): Mention {
    return { file, element, includedFrom: this.#includedFrom };
  }

  /** Reads one file, for `includer` if there is one. */
  readFile(path: string, includer: Mention | null = null): Problem | null {
    const refuse = (text: string): Problem =>
      includer === null ? problemAt(path, null, text) : problemWith(includer, `${path}: ${text}`);
    const result = readConfigurationText(path);
    if (result.kind === "unreadable") {
      const problem = refuse(result.message);
      if (result.isMissing) this.#missing = problem;
      return problem;
    }
    if (result.kind === "text" && this.#open.includes(result.identity)) {
      return refuse("circular inclusion");
    }
    const before = this.#includedFrom;
    if (includer !== null) {
      const place = { file: includer.file, line: includer.element.line };
      this.#includedFrom = [place, ...includer.includedFrom];
    }
    let problem: Problem | null;
    if (result.kind === "garbled") problem = xmlProblem(path, result.problem);
    else {
      this.#open.push(result.identity);
      problem = this.readText(path, result.text);
      this.#open.pop();
    }
    if (problem !== null) problem = this.#withWay(problem);
    this.#includedFrom = before;
    return problem;
  }

  /** Adds how the file of a problem was come to, if that is not known yet. */
  #withWay(problem: Problem): Problem {
    if (problem.includedFrom.length > 0) return problem;
    const told = { ...problem, includedFrom: this.#includedFrom };
    if (problem === this.#missing) this.#missing = told;
    return told;
  }

  readText(file: string, text: string): Problem | null {
    const result = parseXml(text, xmlLimits);
    if (result.problem !== null) return xmlProblem(file, result.problem);
    const { root, omissions } = result;
    for (const omission of omissions) this.#draft.warnings.push(xmlProblem(file, omission));
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
        // That of an included file has no effect in dbus-daemon.
        if (this.#open.length <= 1) draft.usesSyslog = true;
        return null;
      case "allow_anonymous":
        draft.allowsAnonymous = true;
        return null;
      case "standard_session_servicedirs":
        draft.transientServiceDirectory = transientServiceDirectory(this.#surroundings.environment);
        standardSessionDirectories(this.#surroundings.environment).forEach(
          this.#addServiceDirectory,
        );
        return null;
      case "standard_system_servicedirs":
        for (const path of systemServiceDirectories()) this.#addServiceDirectory({ path });
        return null;
      case "selinux":
        return this.#readSelinux(file, element);
      default:
        return this.#readAppArmor(file, element);
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
        draft.serviceHelper = fullPath(file, text);
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
    if (!isMechanism(name)) {
      this.#draft.unknownMechanisms.push(this.#mention(file, element));
      return null;
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

  #readSelinux(file: string, element: XmlElement): Problem | null {
    const associations = readSelinux(file, element);
    if ("text" in associations) return associations;
    for (const association of associations) {
      this.#draft.selinuxAssociations.push(this.#mention(file, association));
    }
    return null;
  }

  #readAppArmor(file: string, element: XmlElement): Problem | null {
    if (readAppArmorMode(element) === null) {
      return problemAt(file, element, 'mode must be "required", "enabled" or "disabled"');
    }
    this.#appArmor = this.#mention(file, element);
    return null;
  }

  #readPolicy(file: string, element: XmlElement): Problem | null {
    if (!isBlank(element.text)) return problemAt(file, element, "no text is expected inside");
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
    const { selinux, selinuxRoot } = this.#surroundings.security;
    if (isSet("if_selinux_enabled") && selinux === "absent") return null;
    const path = isSet("selinux_root_relative") ? resolve(selinuxRoot, text) : fullPath(file, text);
    const asBefore = remember(this.#draft);
    const problem = this.readFile(path, this.#mention(file, element));
    if (problem === null || problem !== this.#missing || !isSet("ignore_missing")) return problem;
    this.#draft = asBefore();
    // As in dbus-daemon, a file that needs a missing one is as good as missing; here that is told.
    if (problem.file !== file) this.#leaveOut(problem);
    return null;
  }

  #leaveOut(problem: Problem): void {
    const text = `${problem.text}; the whole file is left out`;
    this.#draft.warnings.push({ ...problem, text });
  }

  #includeDirectory(file: string, element: XmlElement, directory: string): Problem | null {
    this.#draft.watchedDirectories.push(directory);
    let names: string[];
    try {
      names = readdirSync(directory);
    } catch (error) {
      if (systemErrorCode(error) === "ENOENT") return null;
      return problemAt(file, element, `${directory} cannot be read: ${describeError(error)}`);
    }
    // dbus-daemon takes the order of the directory; a sorted one is the same on every machine.
    for (const name of names.filter((name) => name.endsWith(".conf")).sort()) {
      const asBefore = remember(this.#draft);
      const includer = this.#mention(file, element);
      const problem = this.readFile(join(directory, name), includer);
      if (problem === null) continue;
      // One bad file of some package must not keep the whole bus from starting: it is left out.
      this.#draft = asBefore();
      // A link to nothing is no file.
      if (problem !== this.#missing || problem.file !== file) this.#leaveOut(problem);
    }
    return null;
  }
}

function xmlProblem(file: string, { message, line, column }: XmlProblem): Problem {
  return { file, line, element: "", text: `${message} (column ${column})`, includedFrom: [] };
}

function fullPath(file: string, path: string): string {
  return resolve(dirname(file), path);
}
