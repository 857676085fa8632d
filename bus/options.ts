/** What a bus can be told when it is made. */

import type { Gateway } from "../routing/gateway.ts";
import type { NameAuthority } from "../routing/name-authority.ts";
import type { AddonUse } from "../transport/addon.ts";
import type { Keyring } from "../transport/keyring.ts";
import type { Takeover } from "../transport/listen.ts";
import type { Mechanism } from "../transport/mechanism.ts";
import type { Limits } from "./limits.ts";
import type { Log } from "./log.ts";
import type { OpenFilesLimit } from "./open-files.ts";
import type { Policy } from "./policy/policy.ts";

/** A folder with `.service` files. */
export interface ServiceDirectory {
  readonly path: string;
  /** A file there has to be called like the name that it is for. Default: false. */
  readonly mustMatchNames?: boolean;
}

/** What can be started for names that nobody owns. */
export interface ActivationOptions {
  /** Where service files are; of two for one name the first counts. Asked again at every reload. */
  readonly directories: () => readonly ServiceDirectory[];
  /** What services find in DBUS_STARTER_BUS_TYPE; `null`: nothing. Default: "session". */
  readonly busType?: string | null;
  /**
   * The command line of the program that becomes the user whom a service file names and then starts its service,
   * which it is given the name of; `null`, the default: services run as the bus's own user. Asked at every start.
   */
  readonly helper?: () => string | null;
  /** The limit of open files that services get; `null`, the default: that of the process. Needs the addon. */
  readonly openFiles?: OpenFilesLimit | null;
}

/** Options of a bus, however its peers reach it. */
export interface BusOptions {
  /** 32 lower-case hexadecimal digits; default: made up. */
  readonly guid?: string;
  /** What is left out has its default. A function is asked again at every reload. */
  readonly limits?: Partial<Limits> | (() => Partial<Limits>);
  /** Default: silence. */
  readonly log?: Log;
  /** SASL mechanisms that are accepted. Default: EXTERNAL alone. */
  readonly authentication?: readonly Mechanism[];
  /**
   * May those connect who authenticated as ANONYMOUS? Asked for each of them; `mayConnect` is not.
   * Default: no.
   */
  readonly allowsAnonymous?: () => boolean;
  /** Where DBUS_COOKIE_SHA1 has its secrets. Default: the keyrings in the home of our user. */
  readonly keyring?: Pick<Keyring, "find">;
  /**
   * May a process of this user connect? Default: what `policy` says; without one the user that runs the bus,
   * and root. `groups` asks the kernel, and gives null if it does not tell.
   */
  readonly mayConnect?: (userId: number, groups: () => readonly number[] | null) => boolean;
  /**
   * Who may connect, own names, and send and receive which messages; as with dbus-daemon, what no rule allows is refused.
   * Asked again at every reload. Default: everything is allowed to those who may connect.
   */
  readonly policy?: () => Policy;
  /**
   * Only tell in the log which messages and names the policy would refuse, and let them pass. Who may connect, and what
   * is for root and the bus's own user only, is enforced all the same. Default: false.
   */
  readonly complain?: boolean;
  /** Which services may be started. Default: none. */
  readonly activation?: ActivationOptions;
  /** Called by ReloadConfig and by `Bus.reload`; returns an error text, or null. Default: nothing to reload. */
  readonly reload?: () => string | null;
  /**
   * Says in `Features` that systemd starts the services, and passes on to it what
   * UpdateActivationEnvironment sets. As in dbus-daemon, that is what the configuration says: nobody
   * looks whether systemd is there. Default: false.
   */
  readonly systemdActivation?: boolean;
  /** Who decides about names. Default: this bus. */
  readonly nameAuthority?: (local: NameAuthority) => NameAuthority;
  /** Where to look for names that nobody here owns. Default: nowhere. */
  readonly gateway?: Gateway;
}

/** Options of a bus that listens. */
export interface StartOptions extends BusOptions {
  /** D-Bus server addresses, such as `unix:path=/run/user/1000/bus` or `unix:tmpdir=/tmp`. */
  readonly listen: readonly string[];
  /**
   * `required`: fail without the native addon; `optional` (the default): go on over net sockets,
   * which cannot pass descriptors; `none`: do not even look for it.
   */
  readonly addon?: AddonUse;
  /**
   * Is the process there for this bus alone? Then it waits for its sockets first and asks libuv only when something of
   * the rest is due, which makes a message cheaper by a system call and more. `eventLoopUtilization` is 1 then. One bus
   * of a thread may have it. Nothing without the addon. Default: false.
   */
  readonly hostsEventLoop?: boolean;
  /** What to do with a socket file that is there already; default `stale`: replace it if nobody listens. */
  readonly takeover?: Takeover;
}
