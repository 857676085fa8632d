/** What a bus and systemd have to say to each other. */

/** Systemd's name, on the system bus and on session buses. */
export const SYSTEMD_NAME = "org.freedesktop.systemd1";

/** The bus asks for a unit by its signal `ActivationRequest`; `ActivationFailure` is the answer if that fails. */
export const ACTIVATOR_INTERFACE = "org.freedesktop.systemd1.Activator";
