/** Descriptors of this process to send along with messages. */

import { findAddon } from "../transport/addon.ts";
import { FileDescriptor } from "../transport/file-descriptor.ts";

/**
 * Owns the open descriptor `number` from now on, such as what `fs.openSync` returned: it is closed by its owner's
 * `close`, and by nobody else.
 *
 * @throws AddonMissingError: without the addon descriptors cannot be sent
 */
export function ownDescriptor(number: number): FileDescriptor {
  const { addon, missing } = findAddon("required");
  if (addon === null) throw new Error(missing);
  return new FileDescriptor(number, addon);
}
