/** What activation may ask of a bus. */

import type { Accounting } from "./accounting.ts";
import type { ActivationHost } from "./activation/activation.ts";
import type { ActivationEnvironment } from "./activation-environment.ts";
import type { Bus } from "./bus.ts";
import type { Outgoing } from "./driver/outgoing.ts";
import type { BusOptions } from "./options.ts";
import type { Policing } from "./policing.ts";
import { SYSTEMD_NAME } from "./systemd.ts";
import { Resource } from "./user.ts";

/** Parts of the bus that are made after activation, and are there when it needs them. */
export interface LaterParts {
  outgoing(): Outgoing;
  environment(): ActivationEnvironment;
  policing(): Policing;
  accounting(): Accounting;
  servicesChanged(): void;
}

export function activationHost(bus: Bus, options: BusOptions, parts: LaterParts): ActivationHost {
  return {
    limits: bus.limits,
    log: bus.log,
    chargeStart: (sender) =>
      parts.accounting().supplies.chargeFor(sender, Resource.ServiceStarts, 1),
    startOver: (payer, count) =>
      parts.accounting().supplies.refundTo(payer, Resource.ServiceStarts, count),
    usesSystemd: options.systemdActivation === true,
    address: () => bus.address,
    variables: () => parts.environment().variables,
    servicesChanged: () => parts.servicesChanged(),
    objection: (name, sender) => parts.policing().objectionToStart(sender, name),
    failed: (name, why) => bus.router.notFound(name, why),
    requestUnit: (unit) => {
      const request = (wasShown: boolean): boolean => {
        const systemd = bus.directory.findText(SYSTEMD_NAME);
        parts.outgoing().activationRequest(systemd, unit, wasShown);
        return systemd !== null;
      };
      return request(false) ? null : bus.router.holdPlace(SYSTEMD_NAME, () => request(true));
    },
  };
}
