/** `onehop monitor`: what passes over a bus, for people, for programs, and for Wireshark and Bustle. */

import { createWriteStream } from "node:fs";
import type { Argv } from "yargs";
import { failure } from "../command-problem.ts";
import { ExitStatus } from "../exit-status.ts";
import type { LoadedCommand } from "../lazy-command.ts";
import { busRules } from "../monitor/bus-rules.ts";
import { capturedMessages } from "../monitor/captured-messages.ts";
import type { FilterOptions } from "../monitor/filter.ts";
import { becomeMonitor, learnNames, liveMessages } from "../monitor/live-messages.ts";
import {
  addMonitorOptions,
  assertPossible,
  filterOptionsOf,
  type MonitorOptions,
} from "../monitor/monitor-options.ts";
import { Observer } from "../monitor/observer.ts";
import { Output } from "../monitor/output.ts";
import { type Printing, printingOf } from "../monitor/printing.ts";
import { summaryText } from "../monitor/summary.ts";
import type { WatchedMessage } from "../monitor/watched-message.ts";
import { paintFor } from "../print/colour.ts";
import { nextSignal } from "../signals.ts";
import { openBus, tellingProblems } from "../with-bus.ts";

export const monitorCommand: LoadedCommand<MonitorOptions> = {
  builder: addOptions,
  handler: (given) => tellingProblems(() => runMonitor(given)),
};

function addOptions(yargs: Argv): Argv<MonitorOptions> {
  return addMonitorOptions(yargs)
    .example("onehop monitor org.example.Player", "calls of a service, their replies, its signals")
    .example(
      "onehop monitor --type signal --path-namespace /org/example",
      "signals of some objects",
    )
    .example("onehop monitor --error org.freedesktop.DBus.Error.NoReply", "who got no answer")
    .example("onehop monitor --pcap - | wireshark -k -i -", "in Wireshark, live")
    .example("onehop monitor --read FILE --json", "a capture, for programs")
    .epilogue(
      [
        "Replies are shown with the calls that they answer, although they carry",
        "neither path nor interface nor well-known name.",
        "",
        "Exit status:",
        `  ${ExitStatus.Success}  it was interrupted, the limit or the end of the file was reached, or`,
        "     nobody reads the output any more",
        `  ${ExitStatus.Failure}  the bus cannot be watched or is gone, or the file cannot be read or written`,
        `  ${ExitStatus.Usage}  the command line makes no sense`,
        `  ${ExitStatus.Unreachable}  the bus cannot be reached`,
      ].join("\n"),
    );
}

/** What a run of the command consists of. */
interface Run {
  readonly given: MonitorOptions;
  readonly filter: FilterOptions;
  readonly observer: Observer;
  readonly printing: Printing;
  readonly output: Output;
  /** Ends it: somebody interrupted it, or time is up. */
  readonly stop: AbortSignal;
}

async function runMonitor(given: MonitorOptions): Promise<void> {
  const filter = filterOptionsOf(given);
  assertPossible(given);
  const observer = new Observer(filter);
  const printing = printingOf(given, observer.names);
  const output = new Output(
    given.pcap === undefined || given.pcap === "-" ? process.stdout : createWriteStream(given.pcap),
  );
  const stop = new AbortController();
  const run = { given, filter, observer, printing, output, stop: stop.signal };
  try {
    await (given.read === undefined ? showBus(run, stop) : showCapture(run, given.read, stop));
    await output.end();
  } catch (error) {
    if (!(error instanceof Error && "syscall" in error)) throw error;
    throw failure(`${given.pcap ?? "standard output"}: ${error.message}`);
  }
}

async function showBus(run: Run, stop: AbortController): Promise<void> {
  const { given, filter, observer, printing, output } = run;
  const client = await openBus(given);
  try {
    const { uniqueName } = client;
    const answers = await learnNames(client, observer.names);
    const monitor = await becomeMonitor(client, busRules(filter));
    stopLater(stop, given.duration);
    run.stop.addEventListener("abort", () => void client.close(), { once: true });
    process.stderr.write("onehop: watching the bus\n");
    await output.write(printing.head(answers), run.stop);
    try {
      await showMessages(run, liveMessages(monitor, uniqueName));
    } finally {
      tellSummary(observer, monitor.bufferedBytes);
    }
  } finally {
    await client.close();
  }
}

async function showCapture(run: Run, path: string, stop: AbortController): Promise<void> {
  const { given, observer, printing, output } = run;
  stopLater(stop, given.duration);
  await output.write(printing.head([]), run.stop);
  const tell = (text: string): void => {
    process.stderr.write(`onehop: ${text}\n`);
  };
  await showMessages(run, capturedMessages(path, run.stop, tell));
  tellSummary(observer, 0);
}

/** Until the messages end, enough of them were shown, nobody reads them any more, or it is stopped. */
async function showMessages(run: Run, messages: AsyncIterable<WatchedMessage>): Promise<void> {
  const { observer, printing, output, stop } = run;
  const limit = run.given["limit-messages"] ?? Number.POSITIVE_INFINITY;
  for await (const watched of messages) {
    if (stop.aborted) return;
    const observation = observer.see(watched);
    if (observation === null) continue;
    const isRead = await output.write(printing.print(observation), stop);
    if (!isRead || observer.shownCount >= limit) return;
  }
}

function stopLater(stop: AbortController, durationMs: number | undefined): void {
  const abort = (): void => stop.abort();
  void nextSignal(["SIGINT", "SIGTERM", "SIGHUP"]).then(abort);
  if (durationMs !== undefined && Number.isFinite(durationMs)) {
    const timer = setTimeout(abort, durationMs);
    timer.unref();
  }
}

function tellSummary(observer: Observer, bufferedBytes: number): void {
  if (!process.stderr.isTTY) return;
  process.stderr.write(summaryText(observer, bufferedBytes, paintFor(process.stderr)));
}
