/** Random numbers that a seed decides. */

export interface Random {
  /** In [0, 1). */
  (): number;
  /** An integer in [0, n). */
  below(n: number): number;
  /** One of the list, which is not empty. */
  pick<T>(list: readonly T[]): T;
  /** Another one, of its own. */
  generator(): Random;
}

/** Mulberry32. */
export function generator(seed: number): Random {
  let state = seed | 0;
  const next = (): number => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
  return Object.assign(next, {
    below: (n: number) => Math.floor(next() * n),
    pick: <T>(list: readonly T[]) => list[Math.floor(next() * list.length)] as T, // an index below its length
    generator: () => generator(Math.floor(next() * 2 ** 31)),
  });
}

/** One that these bytes decide: what a target chooses itself is the same whenever it sees the input again. */
export function generatorOf(bytes: Uint8Array): Random {
  let hash = 0x811c9dc5;
  for (const byte of bytes) hash = Math.imul(hash ^ byte, 0x01000193);
  return generator(hash);
}
