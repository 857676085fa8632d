/** Every target by its name. */

import type { Format } from "./corpus.ts";
import type { Target } from "./target.ts";

export interface TargetEntry {
  /** How its inputs are written to files. */
  readonly format: Format;
  /** Loads the code that it is about, so that only this is counted. */
  readonly make: () => Promise<Target>;
}

export const TARGETS: Readonly<Record<string, TargetEntry>> = {
  sasl: { format: "text", make: async () => (await import("./targets/sasl.ts")).saslTarget() },
  "sasl-client": {
    format: "text",
    make: async () => (await import("./targets/sasl-client.ts")).saslClientTarget(),
  },
  header: { format: "hex", make: async () => (await import("./targets/header.ts")).headerTarget() },
  body: { format: "hex", make: async () => (await import("./targets/body.ts")).bodyTarget() },
  rule: { format: "text", make: async () => (await import("./targets/rule.ts")).ruleTarget() },
  index: { format: "text", make: async () => (await import("./targets/index.ts")).indexTarget() },
  bus: { format: "text", make: async () => (await import("./targets/bus.ts")).busTarget() },
  "service-file": {
    format: "text",
    make: async () => (await import("./targets/service-file.ts")).serviceFileTarget(),
  },
  busconfig: {
    format: "text",
    make: async () => (await import("./targets/busconfig.ts")).busconfigTarget(),
  },
  descriptors: {
    format: "text",
    make: async () => (await import("./targets/descriptors.ts")).descriptorsTarget(),
  },
};
