/** Tables that have grown leave an array behind, which V8 collects when it sees a reason; large ones are none to it. */

type Listener = (byteLength: number) => void;

/** Smaller ones are left to V8. */
const NOTED_BYTES = 1 << 18;

let listener: Listener | null = null;

/** Calls `heard` with the size of each large array that a table of this process leaves behind from now on. */
export function onOutgrown(heard: Listener): void {
  listener = heard;
}

/** For tables: this array is garbage from now on. */
export function outgrown({ byteLength }: ArrayBufferView): void {
  if (byteLength >= NOTED_BYTES) listener?.(byteLength);
}
