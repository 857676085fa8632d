/** Descriptors of this process, as arguments of a message. */

import { type FileDescriptor, ownDescriptor } from "../client/index.ts";
import { failure } from "./command-problem.ts";

/** Owners for open descriptors, which nobody closes, since they are the shell's. @throws CommandProblem without the addon */
export function openDescriptors(numbers: readonly number[]): readonly FileDescriptor[] {
  try {
    return numbers.map(ownDescriptor);
  } catch (error) {
    throw failure(
      `file descriptors cannot be sent: ${error instanceof Error ? error.message : error}`,
    );
  }
}
