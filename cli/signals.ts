/** Waiting for signals. */

/** The first of these signals that arrives; after it, each has its usual effect again. */
export function nextSignal(signals: readonly NodeJS.Signals[]): Promise<NodeJS.Signals> {
  return new Promise((resolve) => {
    const receive = (signal: NodeJS.Signals): void => {
      for (const each of signals) process.off(each, receive);
      resolve(signal);
    };
    for (const each of signals) process.on(each, receive);
  });
}
