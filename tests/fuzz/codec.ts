// Fuzz of the dot codec against the slow one of dot_reference.ts: random content, random packets, both directions.
//
// Decoder and slow decoder must agree, and so must encoder and slow encoder. No lenient reader may find another end in
// the encoder's output, and a strict one must read the message in it. A failure is thrown as an assertion.

import assert from "node:assert/strict";
import { decodedRoom, DotDecoder, DotEncoder, encodedRoom, type LineEnds } from "../../lib/smtp/dot_codec.ts";
import { fooled, guarded, slowDecode, slowEncode } from "../smtp/dot_reference.ts";
import { octets, randomCut, randomText, seeded, spelled } from "../rig/octets.ts";

const LETTERS = "a.\r\n\0".split("");
const PIECES = [
  ...LETTERS,
  ...LETTERS,
  "abcdefghijklm",
  "..",
  "\r\n",
  "\r\n.",
  "\r\n.\r",
  "\n.\n",
  "\r.\r",
  "\0.",
  "\x8a\x8d\xff",
];
const END = "\r\n.\r\n";

/** One random input; `seed` makes it again. */
export function tryCodec(seed: number): void {
  const random = seeded(seed);
  for (let count = 0; count < 3; count++) random();
  const text = randomText(random() < 0.5 ? LETTERS : PIECES, random() < 0.05 ? 300 : 24, random);
  const length = 1 + random() * 10;
  const wire = randomCut(`${text}${END}QUIT\r\n`, length, random);
  const decoded = decode(wire);
  const slow = slowDecode(wire.join(""))!;
  const where = `seed ${seed}: ${JSON.stringify(wire)}`;
  assert.deepEqual(decoded, { ...slow, spool: guarded(slow.spool) }, where);
  checkEncoder(randomCut(decoded.spool, length, random), "lf", where);
  checkEncoder(randomCut(text, length, random), "lf", where);
  checkEncoder(randomCut(text, length, random), "lf-or-crlf", where);
}

function checkEncoder(chunks: readonly string[], lineEnds: LineEnds, where: string): void {
  const content = chunks.join("");
  const encoder = new DotEncoder(lineEnds);
  let wire = "";
  for (const chunk of chunks) {
    const out = new Uint8Array(encodedRoom(chunk.length));
    wire += spelled(out.subarray(0, encoder.encode(octets(chunk), out)));
  }
  wire += spelled(encoder.end());
  assert.equal(wire, slowEncode(content, lineEnds), where);
  assert.deepEqual(fooled(wire), [], where);
  const lines = guarded(lineEnds === "lf" ? content : content.replaceAll("\r\n", "\n"));
  assert.equal(slowDecode(wire)!.spool, lines === "" || lines.endsWith("\n") ? lines : `${lines}\n`, where);
}

function decode(chunks: readonly string[]) {
  const decoder = new DotDecoder();
  let spool = "";
  let used = 0;
  for (const chunk of chunks) {
    const out = new Uint8Array(decodedRoom(chunk.length));
    spool += spelled(out.subarray(0, decoder.decode(octets(chunk), out)));
    used += decoder.consumed;
    if (decoder.done) break;
  }
  const { size, bareNewline, crLines } = decoder;
  return { spool, size, bareNewline, crLines, rest: chunks.join("").slice(used) };
}
