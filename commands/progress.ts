/** How far long work is, on stderr: one line that changes on a terminal, a plain line now and then elsewhere. */
const TERMINAL_INTERVAL_MS = 100;
const PLAIN_INTERVAL_MS = 5000;

export class Progress {
  readonly #label: string;
  readonly #unit: string;
  readonly #terminal = process.stderr.isTTY;
  #saidAt = performance.now();
  #isLineOpen = false;

  constructor({ label, unit }: { readonly label: string; readonly unit: string }) {
    this.#label = label;
    this.#unit = unit;
    // A terminal shows at once that something happens; a log only learns of what takes long.
    if (this.#terminal) this.#say(`${label} ...`);
  }

  /** May be called as often as one likes. */
  update(done: number, total: number): void {
    const now = performance.now();
    if (now - this.#saidAt < (this.#terminal ? TERMINAL_INTERVAL_MS : PLAIN_INTERVAL_MS)) return;
    this.#saidAt = now;
    const percent = total > 0 ? Math.min(100, Math.floor((100 * done) / total)) : 100;
    this.#say(`${this.#label}: ${done} of ${total} ${this.#unit} (${percent} %)`);
  }

  /** Clears the line: what comes next on the terminal begins at its left edge. */
  end(): void {
    if (this.#isLineOpen) process.stderr.write("\r\x1b[K");
    this.#isLineOpen = false;
  }

  #say(line: string): void {
    process.stderr.write(this.#terminal ? `\r\x1b[K${line}` : `${line}\n`);
    this.#isLineOpen = this.#terminal;
  }
}
