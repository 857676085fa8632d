/** Door "./bus": a message bus to start or to embed. */

export type { Mechanism } from "../transport/mechanism.ts";
export { Bus, createBus } from "./bus.ts";
export { introspection } from "./driver/introspection.ts";
export type { Limits } from "./limits.ts";
export type { LogEntry } from "./log.ts";
export type { OpenFilesLimit } from "./open-files.ts";
export type { ActivationOptions, BusOptions, ServiceDirectory, StartOptions } from "./options.ts";
export { type Accounts, noAccounts } from "./policy/accounts.ts";
export {
  PolicyExplainer,
  type PolicyExplanation,
  type PolicyMessage,
  type PolicyPeer,
  type PolicyReceiver,
  type PolicyStep,
} from "./policy/explain.ts";
export type { Policy } from "./policy/policy.ts";
export {
  type ConnectRule,
  describeOrigin,
  forgetsOthers,
  type MessagePattern,
  MOST_UNIX_FDS,
  type NamePattern,
  type OwnRule,
  type PolicyContext,
  type PolicyRule,
  type ReceiveRule,
  type RuleOrigin,
  type SendRule,
} from "./policy/rules.ts";
export type { Judgement } from "./policy/snapshot.ts";
export { type ProvidedService, providedServices } from "./provided-services.ts";
export type { BusSnapshot } from "./snapshot.ts";
export { type StartedBus, startBus } from "./start-bus.ts";
