// Tests of lib/spool/checksum.ts: the same content has one checksum, however it is cut, and other content another one.

import assert from "node:assert/strict";
import { Checksum } from "../../lib/spool/checksum.ts";
import { seeded } from "../smtp/octets.ts";

function checksumOf(...pieces: readonly Uint8Array[]): Checksum {
  const checksum = new Checksum();
  for (const piece of pieces) checksum.push(piece);
  return checksum;
}

/** Octets without an order. */
function noise(length: number): Uint8Array {
  const random = seeded(length + 1);
  return Uint8Array.from({ length }, () => random() * 256);
}

Deno.test("Checksum makes no difference where the content is cut", () => {
  for (let length = 0; length < 40; length++) {
    const octets = noise(length);
    const whole = checksumOf(octets);
    assert.ok(whole.equals(checksumOf(...Array.from(octets, (octet) => Uint8Array.of(octet)))), `${length}`);
    for (let at = 0; at <= length; at++) {
      assert.ok(whole.equals(checksumOf(octets.subarray(0, at), octets.subarray(at))), `${length} cut at ${at}`);
    }
  }
});

Deno.test("Checksum sees each octet that differs, is missing, is one too many, or is in another place", () => {
  for (const length of [1, 3, 4, 5, 8, 9, 100]) {
    const octets = noise(length);
    const checksum = checksumOf(octets);
    for (let at = 0; at < length; at++) {
      for (const bit of [1, 0x80, 0xff]) {
        const other = octets.slice();
        other[at]! ^= bit;
        assert.ok(!checksum.equals(checksumOf(other)), `${length}, ${at}, ${bit}`);
      }
      assert.ok(
        !checksum.equals(checksumOf(octets.subarray(0, at), octets.subarray(at + 1))),
        `${length} without ${at}`,
      );
    }
    assert.ok(!checksum.equals(checksumOf(octets, Uint8Array.of(0))));
    assert.ok(!checksum.equals(checksumOf(Uint8Array.of(0), octets)));
    if (length > 1) assert.ok(!checksum.equals(checksumOf(octets.slice().reverse())));
  }
  for (let length = 0; length < 9; length++) {
    assert.ok(!checksumOf(new Uint8Array(length)).equals(checksumOf(new Uint8Array(length + 1))));
  }
});
