/** `<selinux>` and `<apparmor>`: checked, and refused where they ask for what this bus does not have. */

import { existsSync, readFileSync } from "node:fs";
import type { XmlElement } from "../../xml/parse.ts";
import type { Problem } from "./configuration.ts";
import { checkShape, problemAt } from "./element-shape.ts";
import { type Mention, problemWith } from "./mention.ts";

/** Which security modules of the kernel watch over messages. */
export interface SecurityModules {
  readonly selinux: "absent" | "permissive" | "enforcing";
  /** Where `selinux_root_relative` files are. */
  readonly selinuxRoot: string;
  readonly hasAppArmor: boolean;
}

export type AppArmorMode = "required" | "enabled" | "disabled";

/** What this machine has. */
export function securityModules(): SecurityModules {
  return {
    selinux: selinuxState(),
    selinuxRoot: `/etc/selinux/${selinuxPolicy()}`,
    hasAppArmor: existsSync("/sys/kernel/security/apparmor/features/dbus"),
  };
}

/** Reads `<selinux>`: which labels names have. Returns the associations, or what is wrong. */
export function readSelinux(file: string, element: XmlElement): readonly XmlElement[] | Problem {
  for (const child of element.children) {
    if (child.name !== "associate") {
      return problemAt(file, child, "is not allowed inside <selinux>");
    }
    const unexpected = checkShape(file, child, ["own", "context"], false);
    if (unexpected !== null) return unexpected;
    if (child.attributes.size !== 2) {
      return problemAt(file, child, "must have the attributes own and context");
    }
  }
  return element.children;
}

/** Reads `<apparmor>`: whether AppArmor has to be asked. `null`: the mode is none. */
export function readAppArmorMode(element: XmlElement): AppArmorMode | null {
  const mode = element.attributes.get("mode") ?? "enabled";
  return mode === "required" || mode === "enabled" || mode === "disabled" ? mode : null;
}

/**
 * What a configuration asks of security modules that this bus does not ask: what relies on it is a problem, the rest a
 * warning. Labels of names rely on SELinux; `<apparmor mode="required">` says that it relies on AppArmor.
 */
export function lackOfMediation(
  path: string,
  associations: readonly Mention[],
  appArmor: Mention | null,
  { selinux, hasAppArmor }: SecurityModules,
): { readonly problem: Problem | null; readonly warnings: readonly Problem[] } {
  const warnings: Problem[] = [];
  if (appArmor !== null) {
    const mode = readAppArmorMode(appArmor.element);
    if (mode === "required") {
      return { problem: problemWith(appArmor, "this bus has no AppArmor mediation"), warnings };
    }
    if (mode === "enabled" && hasAppArmor) {
      warnings.push(problemWith(appArmor, "is not obeyed: AppArmor is not asked"));
    }
  }
  const [association] = associations;
  if (selinux === "absent") return { problem: null, warnings };
  if (association === undefined) {
    warnings.push(problemAt(path, null, `SELinux is ${selinux}, and this bus does not ask it`));
  } else if (selinux === "enforcing") {
    const text = "this bus has no SELinux mediation, and SELinux is enforcing";
    return { problem: problemWith(association, text), warnings };
  } else warnings.push(problemWith(association, "is not obeyed: SELinux is not asked"));
  return { problem: null, warnings };
}

function selinuxState(): SecurityModules["selinux"] {
  try {
    const enforces = readFileSync("/sys/fs/selinux/enforce", "utf8").trim() !== "0";
    return enforces ? "enforcing" : "permissive";
  } catch {
    // Who has SELinux and may not look is taken to be under it.
    return existsSync("/sys/fs/selinux/enforce") ? "enforcing" : "absent";
  }
}

/** SELINUXTYPE of selinux_config(5); libselinux takes "targeted" where there is none. */
function selinuxPolicy(): string {
  try {
    const text = readFileSync("/etc/selinux/config", "utf8");
    return /^\s*SELINUXTYPE\s*=\s*(\S+)/m.exec(text)?.[1] ?? "targeted";
  } catch {
    return "targeted";
  }
}
