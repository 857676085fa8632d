/** A line on the terminal that says how far the bench is; nothing where there is no terminal. */

export class Progress {
  readonly #stepCount: number;
  readonly #startMs: number;
  #stepsDone: number;

  constructor(stepCount: number) {
    this.#stepCount = stepCount;
    this.#startMs = performance.now();
    this.#stepsDone = 0;
  }

  /** Shows what is being measured now. */
  show(text: string): void {
    if (!process.stderr.isTTY) return;
    const percent = Math.floor((100 * this.#stepsDone) / this.#stepCount);
    process.stderr.write(`\r\u001b[K${percent} %  ${text}${this.#timeLeft()}`);
  }

  /** One step is done. */
  advance(): void {
    this.#stepsDone++;
  }

  /** Prints a line that stays. */
  say(text: string): void {
    this.clear();
    process.stderr.write(`${text}\n`);
  }

  clear(): void {
    if (process.stderr.isTTY) process.stderr.write("\r\u001b[K");
  }

  #timeLeft(): string {
    if (this.#stepsDone === 0) return "";
    const passedMs = performance.now() - this.#startMs;
    const leftMs = (passedMs / this.#stepsDone) * (this.#stepCount - this.#stepsDone);
    return leftMs > 90_000
      ? `  (about ${Math.round(leftMs / 60_000)} min left)`
      : `  (about ${Math.round(leftMs / 1000)} s left)`;
  }
}
