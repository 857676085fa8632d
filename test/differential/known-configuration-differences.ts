/** Where this bus means to differ from dbus-daemon about configurations; `compat/README.md` has the same list. */

import type { ConfigurationCase } from "./configuration-cases.ts";

export interface KnownDifference {
  readonly reason: string;
  /**
   * The files of which this bus has to make what dbus-daemon makes of the case, if it is this difference that
   * shows; `null` if it cannot be.
   */
  altered(files: ConfigurationCase["files"]): ConfigurationCase["files"] | null;
}

export const knownDifferences: readonly KnownDifference[] = [
  {
    reason:
      "the files of a directory count in the order of their names, not in that of the directory",
    altered: (files) => {
      const { "f/x.conf": x, "f/y.conf": y } = files;
      return x === undefined || y === undefined ? null : { ...files, "f/x.conf": y, "f/y.conf": x };
    },
  },
  {
    reason: "content models of a DTD need not be well-formed: nobody asks what they say",
    altered: (files) => {
      const main = files["bus.conf"];
      if (typeof main !== "string" || !main.includes("<!ELEMENT")) return null;
      return { ...files, "bus.conf": main.replace("<!ELEMENT", "<!ELEMENT>") };
    },
  },
];
