/** `<selinux>` and `<apparmor>`: checked, and told where the kernel has what they speak of. */

import { existsSync } from "node:fs";
import type { XmlElement } from "../../xml/parse.ts";
import type { Problem } from "./configuration.ts";
import { checkShape, problemAt } from "./element-shape.ts";

/** What is wrong with an element, or, if nothing is, what is to be told about it. */
export interface SecurityResult {
  readonly problem: Problem | null;
  readonly warning: string | null;
}

/** Reads `<selinux>`: which labels names have. */
export function readSelinux(file: string, element: XmlElement): SecurityResult {
  const refuse = (problem: Problem): SecurityResult => ({ problem, warning: null });
  for (const child of element.children) {
    if (child.name !== "associate") {
      return refuse(problemAt(file, child, "is not allowed inside <selinux>"));
    }
    const unexpected = checkShape(file, child, ["own", "context"], false);
    if (unexpected !== null) return refuse(unexpected);
    if (child.attributes.size !== 2) {
      return refuse(problemAt(file, child, "must have the attributes own and context"));
    }
  }
  const warning = isSelinuxActive() ? "is not obeyed: SELinux is not asked" : null;
  return { problem: null, warning };
}

/** Reads `<apparmor>`: whether AppArmor has to be asked. */
export function readAppArmor(file: string, element: XmlElement): SecurityResult {
  const refuse = (text: string): SecurityResult => ({
    problem: problemAt(file, element, text),
    warning: null,
  });
  const mode = element.attributes.get("mode") ?? "enabled";
  if (mode === "required") return refuse("this bus has no AppArmor mediation");
  if (mode !== "enabled" && mode !== "disabled") {
    return refuse('mode must be "required", "enabled" or "disabled"');
  }
  const isMissed = mode === "enabled" && existsSync("/sys/kernel/security/apparmor/features/dbus");
  return { problem: null, warning: isMissed ? "is not obeyed: AppArmor is not asked" : null };
}

/** Does the kernel enforce, or at least watch over, SELinux labels? */
export function isSelinuxActive(): boolean {
  return existsSync("/sys/fs/selinux/enforce");
}
