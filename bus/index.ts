/** Door "./bus": a message bus to start or to embed. */

export { Bus, createBus } from "./bus.ts";
export { introspection } from "./driver/introspection.ts";
export type { Limits } from "./limits.ts";
export type { LogEntry } from "./log.ts";
export type { OpenFilesLimit } from "./open-files.ts";
export type { ActivationOptions, BusOptions, ServiceDirectory, StartOptions } from "./options.ts";
export type { BusSnapshot } from "./snapshot.ts";
export { type StartedBus, startBus } from "./start-bus.ts";
