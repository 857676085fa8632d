/** Capture files made by hand, so that the tests of reading do not stand on what we write. */

export interface Word {
  readonly bytes: 1 | 2 | 4 | 8;
  readonly value: number | bigint;
}

export const u8 = (value: number): Word => ({ bytes: 1, value });
export const u16 = (value: number): Word => ({ bytes: 2, value });
export const u32 = (value: number): Word => ({ bytes: 4, value });
export const i64 = (value: bigint): Word => ({ bytes: 8, value });

/** Numbers in the byte order, and bytes as they are. */
export function bytesOf(
  isLittleEndian: boolean,
  ...parts: readonly (Word | Uint8Array)[]
): Uint8Array {
  return Buffer.concat(
    parts.map((part) => {
      if (part instanceof Uint8Array) return part;
      const word = new DataView(new ArrayBuffer(8));
      if (part.bytes === 8) word.setBigInt64(0, BigInt(part.value), isLittleEndian);
      else if (part.bytes === 4) word.setUint32(0, Number(part.value), isLittleEndian);
      else if (part.bytes === 2) word.setUint16(0, Number(part.value), isLittleEndian);
      else word.setUint8(0, Number(part.value));
      return new Uint8Array(word.buffer, 0, part.bytes);
    }),
  );
}

/** A block of pcapng: its contents are padded, and its length stands on both sides of them. */
export function block(
  isLittleEndian: boolean,
  type: number,
  ...parts: readonly (Word | Uint8Array)[]
): Uint8Array {
  const contents = bytesOf(isLittleEndian, ...parts);
  const padding = new Uint8Array(-contents.length & 3);
  const length = u32(12 + contents.length + padding.length);
  return bytesOf(isLittleEndian, u32(type), length, contents, padding, length);
}

/** `bytes` in pieces of `size`, as a stream gives them. */
export async function* inPieces(bytes: Uint8Array, size: number): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}
