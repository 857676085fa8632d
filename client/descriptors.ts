/** Descriptors that travel with messages: where they come from, and that none is forgotten. */

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

/** A duplicate of each, or of none. @throws if there cannot be so many */
export function duplicatesOf(descriptors: readonly FileDescriptor[]): FileDescriptor[] {
  const duplicates: FileDescriptor[] = [];
  try {
    for (const descriptor of descriptors) duplicates.push(descriptor.duplicate());
  } catch (error) {
    closeAll(duplicates);
    throw error;
  }
  return duplicates;
}

/** Closes what nobody has taken. */
export function closeAll(descriptors: readonly FileDescriptor[]): void {
  for (const descriptor of descriptors) descriptor.close();
}
