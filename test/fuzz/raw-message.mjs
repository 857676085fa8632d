/** Just enough of the wire format to write anything, right or wrong, and to read what the bus sends. */

const FIELDS = [
  ["path", 1, "o"],
  ["interface", 2, "s"],
  ["member", 3, "s"],
  ["errorName", 4, "s"],
  ["replySerial", 5, "u"],
  ["destination", 6, "s"],
  ["sender", 7, "s"],
  ["signature", 8, "g"],
  ["unixFds", 9, "u"],
  ["unknown", 200, "s"],
];

/** A little-endian message; fields that are absent or "" are left out. */
export function message({ type, serial, flags = 0, body = Buffer.alloc(0), ...fields }) {
  const parts = [];
  let end = 0;
  for (const [name, code, kind] of FIELDS) {
    const value = fields[name];
    if (value === undefined || value === "") continue;
    const bytes = Buffer.from(kind === "u" ? "" : value);
    const field = Buffer.alloc(
      kind === "u" ? 8 : kind === "g" ? 6 + bytes.length : 9 + bytes.length,
    );
    field.set([code, 1, kind.charCodeAt(0)]);
    if (kind === "u") field.writeUInt32LE(value, 4);
    else if (kind === "g") field[4] = bytes.length;
    else field.writeUInt32LE(bytes.length, 4);
    bytes.copy(field, kind === "g" ? 5 : 8);
    const padding = -end & 7;
    parts.push(Buffer.alloc(padding), field);
    end += padding + field.length;
  }
  const head = Buffer.alloc(16);
  head.set([0x6c, type, flags, 1]);
  head.writeUInt32LE(body.length, 4);
  head.writeUInt32LE(serial >>> 0, 8);
  head.writeUInt32LE(end, 12);
  return Buffer.concat([head, ...parts, Buffer.alloc(-end & 7), body]);
}

/** Gives each whole message to `take`; returns the rest. Byte orders of both kinds. */
export function cut(input, take) {
  let at = 0;
  while (input.length - at >= 16) {
    const total = 16 + ((word(input, at, 12) + 7) & ~7) + word(input, at, 4);
    if (input.length - at < total) break;
    take(input.subarray(at, at + total));
    at += total;
  }
  return input.subarray(at);
}

/** Fields by name, and `type`, `serial`, `body`. */
export function fieldsOf(bytes) {
  const end = 16 + word(bytes, 0, 12);
  const fields = {
    type: bytes[1],
    serial: word(bytes, 0, 8),
    body: bytes.subarray((end + 7) & ~7),
  };
  for (let at = 16; at < end; at = (at + 7) & ~7) {
    const [name, , kind] = FIELDS.find(([, code]) => code === bytes[at]) ?? ["?", 0, "?"];
    if (kind === "?") throw new Error(`the bus sent a field ${bytes[at]}`);
    if (kind === "u") fields[name] = word(bytes, 0, at + 4);
    const start = kind === "g" ? at + 5 : at + 8;
    const length = kind === "g" ? bytes[at + 4] : kind === "u" ? 0 : word(bytes, 0, at + 4);
    if (kind !== "u") fields[name] = bytes.toString("latin1", start, start + length);
    at = kind === "u" ? at + 8 : start + length + 1;
  }
  return fields;
}

/** The string that a body begins with. */
export function text(body) {
  return body.toString("utf8", 4, 4 + body.readUInt32LE(0));
}

function word(bytes, at, offset) {
  return bytes[at] === 0x6c ? bytes.readUInt32LE(at + offset) : bytes.readUInt32BE(at + offset);
}
