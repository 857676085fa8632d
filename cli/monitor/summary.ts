/** What is told at the end: how much there was, and who got no answer. */

import type { Paint } from "../print/colour.ts";
import { formatTable, oneLine } from "../print/table.ts";
import { clockText, endText, memberText } from "./compact-view.ts";
import type { Observer } from "./observer.ts";

/** Of calls without a reply. */
const MAXIMUM_LISTED = 20;
const MAXIMUM_PATH_CHARACTERS = 60;

/** `bufferedBytes`: of messages that had come and were not looked at any more. */
export function summaryText(observer: Observer, bufferedBytes: number, paint: Paint): string {
  const { names, seenCount, shownCount, forgottenCallCount } = observer;
  const unanswered = observer.unanswered();
  const lines = [`${countText(seenCount, "message")} seen, ${shownCount} shown`];
  if (bufferedBytes > 0)
    lines.push(`${bufferedBytes} bytes of messages came and were not looked at`);
  if (forgottenCallCount > 0) {
    lines.push(
      `${countText(forgottenCallCount, "call")} waited so long that replies were not known`,
    );
  }
  if (unanswered.length > 0) lines.push(`${countText(unanswered.length, "call")} without a reply:`);
  const rows = unanswered
    .slice(0, MAXIMUM_LISTED)
    .map(({ message, timeMicroseconds }) => [
      clockText(timeMicroseconds),
      endText(message.sender ?? "?", names, null),
      message.destination ?? "",
      oneLine(message.path ?? "", MAXIMUM_PATH_CHARACTERS),
      memberText(message),
    ]);
  const hidden = unanswered.length - rows.length;
  return [
    `onehop: ${lines.join("\n        ")}\n`,
    rows.length === 0
      ? ""
      : formatTable(["time", "caller", "called", "path", "method"], rows, paint),
    hidden === 0 ? "" : `… and ${hidden} more\n`,
  ].join("");
}

function countText(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? "" : "s"}`;
}
