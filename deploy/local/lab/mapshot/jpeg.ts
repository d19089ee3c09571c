/**
 * A JPEG of one colour: baseline, three components, 8 x 8 blocks that are all flat, with two Huffman codes at most in
 * each table (ITU-T T.81). Every viewer shows it; no library is needed to make it.
 * @param shade Decides the colour; two numbers give two colours more often than not.
 * @param note Stands in comment segments, so that tiles differ in content, and are as big as one likes.
 */
export function flatJpeg(sizePx: number, shade: number, note: string | Uint8Array): Buffer {
  const [y, cb, cr] = colourOf(shade);
  const dimension = [sizePx >> 8, sizePx & 255];
  return Buffer.concat([
    Buffer.from([0xff, 0xd8]),
    segment(0xe0, [...Buffer.from("JFIF\0"), 1, 1, 0, 0, 1, 0, 1, 0, 0]),
    ...comments(Buffer.from(note)),
    // A difference of 2 is one step of brightness.
    segment(0xdb, [0, ...new Array(64).fill(4)]),
    segment(0xc0, [8, ...dimension, ...dimension, 3, 1, 0x11, 0, 2, 0x11, 0, 3, 0x11, 0]),
    // Differences of brightness: "0" is none, "10" is one of 7 bits.
    segment(0xc4, [0x00, 1, 1, ...new Array(14).fill(0), 0, 7]),
    // Inside a block: "0" is its end.
    segment(0xc4, [0x10, 1, ...new Array(15).fill(0), 0]),
    segment(0xda, [3, 1, 0x00, 2, 0x00, 3, 0x00, 0, 63, 0]),
    scan(Math.ceil(sizePx / 8) ** 2, [y, cb, cr]),
    Buffer.from([0xff, 0xd9]),
  ]);
}

/** Differences from the middle of the three channels, each of 7 bits: 64 to 127 off, either way. */
function colourOf(shade: number): [number, number, number] {
  const part = (shift: number) => {
    const value = (shade >>> shift) & 127;
    return value < 64 ? value - 127 : value;
  };
  return [part(0), part(7), part(14)];
}

function segment(marker: number, content: readonly number[]): Buffer {
  const length = content.length + 2;
  return Buffer.from([0xff, marker, length >> 8, length & 255, ...content]);
}

function comments(note: Buffer): Buffer[] {
  const pieces: Buffer[] = [];
  for (let at = 0; at < note.length; at += 65_533) {
    const piece = note.subarray(at, at + 65_533);
    const head = Buffer.from([0xff, 0xfe, 0, 0]);
    head.writeUInt16BE(piece.length + 2, 2);
    pieces.push(head, piece);
  }
  return pieces;
}

/** The first block tells the colour, all others that nothing changes. */
function scan(blocks: number, colour: readonly number[]): Buffer {
  const bits = [
    ...colour.map((value) => `10${(value > 0 ? value : value + 127).toString(2).padStart(7, "0")}0`),
    "000000".repeat(blocks - 1),
  ].join("");
  const bytes: number[] = [];
  for (let at = 0; at < bits.length; at += 8) {
    const byte = Number.parseInt(bits.slice(at, at + 8).padEnd(8, "1"), 2);
    bytes.push(byte);
    if (byte === 0xff) bytes.push(0);
  }
  return Buffer.from(bytes);
}
