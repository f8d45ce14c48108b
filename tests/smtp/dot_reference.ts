// The dot codec again, slow and on whole texts. It judges the real one and shares nothing with it.
//
// It has two kinds of readers. `slowDecode` is strict, as in RFC 5321 s.4.5.2. `READERS` are servers that are not. Both
// judge the encoder: the strict one must read the message in its output, and no reader may find another end than the
// last.

/** A message as it stands in the spool, and what else there is to know of it. */
export interface Decoded {
  readonly spool: string;
  /** RFC 1870 s.5: octets on the wire, without doubled dots and the end of data. */
  readonly size: number;
  /** A CR or a LF stands alone. */
  readonly bareNewline: boolean;
  /** Lines that end with a CR of their own. */
  readonly crLines: number;
  /** The octets after the end of data. */
  readonly rest: string;
}

/** Strict: lines end with CR LF, the first that is a lone dot is the end, another's first dot falls away. */
export function slowDecode(wire: string): Decoded | undefined {
  const all = wire.split("\r\n");
  const end = all.indexOf(".");
  if (end === -1 || end === all.length - 1) return undefined;
  const lines = all.slice(0, end).map((line) => line.replace(/^\./, ""));
  return {
    spool: lines.map((line) => `${line}\n`).join(""),
    size: lines.reduce((size, line) => size + line.length + 2, 0),
    bareNewline: lines.some((line) => /[\r\n]/.test(line)),
    crLines: lines.filter((line) => line.endsWith("\r")).length,
    rest: all.slice(end + 1).join("\r\n"),
  };
}

/** A spool's text with a second dot in each line that is one dot only to lenient eyes: after a CR, or after NULs. */
export function guarded(spool: string): string {
  // Most texts have neither, and the expression is slow.
  if (!spool.includes("\r") && !spool.includes("\0")) return spool;
  return spool.replace(/(?<=\r\0*|(?:^|\n)\0+)\.\0*(?=[\r\n]|$)/g, "$&.");
}

/** Content on its way to the wire, the end of data included. */
export function slowEncode(content: string, lineEnds: "lf" | "lf-or-crlf"): string {
  const lines = guarded(lineEnds === "lf" ? content : content.replaceAll("\r\n", "\n")).split("\n");
  if (lines.at(-1) === "") lines.pop();
  return lines.map((line) => `${line.startsWith(".") ? "." : ""}${line}\r\n`).join("") + ".\r\n";
}

/** Servers by what they drop and what ends a line for them. The first one is strict; the last of the CR ones is worst. */
export const READERS: readonly { readonly who: string; readonly drops: string[]; readonly lineEnd: RegExp }[] = [
  { who: "CRLF", drops: [], lineEnd: /\r\n/ },
  { who: "CRLF or LF", drops: [], lineEnd: /\r?\n/ },
  { who: "CRLF or CR", drops: [], lineEnd: /\r\n?/ },
  { who: "CRLF, CR or LF", drops: [], lineEnd: /\r\n|\r|\n/ },
  { who: "CRs and LF", drops: [], lineEnd: /\r*\n/ },
  { who: "LF, no CR", drops: ["\r"], lineEnd: /\n/ },
  { who: "CRLF, no NUL", drops: ["\0"], lineEnd: /\r\n/ },
  { who: "CRLF or LF, no NUL", drops: ["\0"], lineEnd: /\r?\n/ },
  { who: "CRLF or CR, no NUL", drops: ["\0"], lineEnd: /\r\n?/ },
  { who: "CRLF, CR or LF, no NUL", drops: ["\0"], lineEnd: /\r\n|\r|\n/ },
  { who: "LF, no CR, no NUL", drops: ["\r", "\0"], lineEnd: /\n/ },
];

/** The readers that do not see exactly one end of `wire`, at its very end. */
export function fooled(wire: string): string[] {
  return READERS.filter(({ drops, lineEnd }) => {
    const seen = drops.reduce((text, octet) => text.replaceAll(octet, ""), wire);
    // A text with a line end at its end leaves an empty piece after the dot.
    const pieces = seen.split(lineEnd);
    return pieces.indexOf(".") !== pieces.length - 2 || pieces.at(-1) !== "";
  }).map(({ who }) => who);
}
