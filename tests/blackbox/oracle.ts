// Independent readers of what reached downstream, slow and plain on purpose, and seeded random bytes for them.
//
// Each kind of `lineStarts` is one kind of server. `endsOfData` says how many ends of data such a server would see in
// the bytes after DATA. The strict one (only CRLF ends a line) and every lax one must see one end, at the very end.

/** Ways in which servers have been seen to read lines: bytes that they drop, and what ends a line. */
const READERS: readonly { readonly name: string; readonly drops: RegExp; readonly lineEnd: RegExp }[] = [
  { name: "strict", drops: /(?!)/g, lineEnd: /\r\n/ },
  { name: "LF ends a line too", drops: /(?!)/g, lineEnd: /\r?\n/ },
  { name: "CR or LF or CRLF ends a line", drops: /(?!)/g, lineEnd: /\r\n|\r|\n/ },
  { name: "drops NUL", drops: /\0/g, lineEnd: /\r\n/ },
  { name: "drops NUL, LF ends a line too", drops: /\0/g, lineEnd: /\r?\n/ },
  { name: "drops NUL, CR or LF or CRLF ends a line", drops: /\0/g, lineEnd: /\r\n|\r|\n/ },
  { name: "drops CR, LF ends a line", drops: /\r/g, lineEnd: /\n/ },
  { name: "drops CR and NUL, LF ends a line", drops: /[\r\0]/g, lineEnd: /\n/ },
];

/** Readers that see something else than one end of data at the very end of these bytes. */
export function fooledReaders(wire: string): string[] {
  return READERS.filter((reader) => {
    const lines = wire.replace(reader.drops, "").split(reader.lineEnd);
    // The bytes end with a line end, so the last piece is empty and the one before it is the final dot.
    return lines.indexOf(".") !== lines.length - 2 || lines.at(-1) !== "";
  }).map((reader) => reader.name);
}

/** The message in SMTP's form: dot-stuffing is undone after CRLF only. It ends at CRLF . CRLF, which is left out. */
export function unstuff(content: string): string {
  return content.split("\r\n").map((line) => line.startsWith(".") ? line.slice(1) : line).join("\r\n");
}

/** A message as SMTP sends it, without the final dot. */
export function stuff(text: string): string {
  return text.split("\r\n").map((line) => line.startsWith(".") ? `.${line}` : line).join("\r\n");
}

/** Numbers from 0 to below 1, the same for the same seed (mulberry32). */
export function seeded(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  };
}
