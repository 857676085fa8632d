/** How dbus-daemon-launch-helper says why it did not start a service, and how that is told. */

/** By exit status: the error's name without `org.freedesktop.DBus.Error.`, and dbus-daemon's text. */
const FAILURES: ReadonlyMap<number, readonly [error: string, text: string]> = new Map([
  [2, ["NoMemory", "Launcher could not run (out of memory)"]],
  [3, ["Spawn.ConfigInvalid", "Invalid configuration (missing or empty <user>?)"]],
  [4, ["Spawn.FailedToSetup", "Failed to setup environment correctly"]],
  [5, ["Spawn.ServiceNotValid", "Bus name is not valid or missing"]],
  [6, ["Spawn.ServiceNotFound", "Bus name not found in system service directory"]],
  [7, ["Spawn.PermissionsInvalid", "The permission of the setuid helper is not correct"]],
  [
    8,
    // Not FileInvalid, which dbus-daemon has for files that it refuses itself.
    [
      "Spawn.PermissionsInvalid",
      "The service file is incorrect or does not have all required attributes",
    ],
  ],
  [9, ["Spawn.ExecFailed", "Cannot launch daemon, file not found or permissions invalid"]],
  [10, ["InvalidArgs", "Invalid arguments to command line"]],
  [11, ["Spawn.ChildSignaled", "Launched child was signaled, it probably crashed"]],
]);

/** Name and text of the error for a status that is not 0; once it has started a program the status is that one's. */
export function helperFailure(exitStatus: number): readonly [error: string, text: string] {
  return (
    FAILURES.get(exitStatus) ?? [
      "Spawn.ChildExited",
      `Launch helper exited with unknown return code ${exitStatus}`,
    ]
  );
}
