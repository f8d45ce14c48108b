// Shared by tests: octets written as text, all the ways to cut them, and seeded random numbers.
//
// One character of a text is one octet (latin1), so that a row can spell any octet, even NUL and 0xff. A failure shows
// the octets as JSON. POSTPROX_TEST_SEED chooses another run of random inputs. Each failure prints its seed.

import { Buffer } from "node:buffer";
import process from "node:process";

/** The seed of this run's random inputs. */
export const SEED = Number(process.env["POSTPROX_TEST_SEED"] ?? 5321);

/** The octets that `text` spells, one for each character. */
export function octets(text: string): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(text.length);
  for (let at = 0; at < text.length; at++) bytes[at] = text.charCodeAt(at);
  return bytes;
}

/** The inverse of `octets`. */
export function spelled(bytes: Uint8Array): string {
  // A loop over large messages takes more time than all that the fuzz and the faults do with them.
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("latin1");
}

/** Ordinary text as the octets of its UTF-8 are spelled. */
export function utf8(text: string): string {
  return spelled(new TextEncoder().encode(text));
}

/** Octets as a message may show them: control octets escaped, long texts cut. */
export function show(text: string, most = 300): string {
  const cut = text.length > most ? `${text.slice(0, most)}... (${text.length} octets)` : text;
  return JSON.stringify(cut);
}

/** `text` whole, cut in two at every point, and one octet at a time. */
export function* everyCut(text: string): Generator<string[]> {
  yield [text];
  for (let at = 1; at < text.length; at++) yield [text.slice(0, at), text.slice(at)];
  yield text.split("");
}

/** `text` cut at random points, on average every `length` octets. */
export function randomCut(text: string, length: number, random: () => number): string[] {
  const chunks: string[] = [];
  let from = 0;
  for (let at = 1; at < text.length; at++) {
    if (random() >= 1 / length) continue;
    chunks.push(text.slice(from, at));
    from = at;
  }
  return [...chunks, text.slice(from)];
}

/** Up to `most` of the given `pieces` in a row. */
export function randomText(pieces: readonly string[], most: number, random: () => number): string {
  const count = Math.floor(random() * (most + 1));
  return Array.from({ length: count }, () => pieces[Math.floor(random() * pieces.length)]).join("");
}

/** Every text of exactly `length` characters out of `alphabet`. */
export function* everyText(alphabet: string, length: number): Generator<string> {
  if (length === 0) return yield "";
  for (const start of everyText(alphabet, length - 1)) {
    for (const character of alphabet) yield start + character;
  }
}

/** Numbers from 0 to below 1, the same ones for the same seed (xorshift32). */
export function seeded(seed: number): () => number {
  let state = (seed >>> 0) || 1;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) / 2 ** 32;
  };
}
