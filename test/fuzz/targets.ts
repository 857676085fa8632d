/** Every target by its name. */

import type { Target } from "./target.ts";

/** Made on demand, so that only the code it is about is loaded, and counted. */
export const TARGETS: Readonly<Record<string, () => Promise<Target>>> = {
  sasl: async () => (await import("./targets/sasl.ts")).saslTarget(),
  "sasl-client": async () => (await import("./targets/sasl-client.ts")).saslClientTarget(),
  header: async () => (await import("./targets/header.ts")).headerTarget(),
  body: async () => (await import("./targets/body.ts")).bodyTarget(),
  rule: async () => (await import("./targets/rule.ts")).ruleTarget(),
  index: async () => (await import("./targets/index.ts")).indexTarget(),
  bus: async () => (await import("./targets/bus.ts")).busTarget(),
  descriptors: async () => (await import("./targets/descriptors.ts")).descriptorsTarget(),
};
