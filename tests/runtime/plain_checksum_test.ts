// Tests of lib/runtime/shared/plain_checksum.ts, at every length around its blocks. contract.ts has what all checksums
// must do.

import assert from "node:assert/strict";
import { PlainChecksum } from "../../lib/runtime/shared/plain_checksum.ts";
import { seeded } from "../rig/octets.ts";

function checksumOf(...pieces: readonly Uint8Array[]): string {
  const checksum = new PlainChecksum();
  for (const piece of pieces) checksum.push(piece);
  return checksum.value;
}

/** Octets without an order. */
function noise(length: number): Uint8Array {
  const random = seeded(length + 1);
  return Uint8Array.from({ length }, () => random() * 256);
}

Deno.test("PlainChecksum does not depend on where the content is cut", () => {
  for (let length = 0; length < 70; length++) {
    const octets = noise(length);
    const whole = checksumOf(octets);
    assert.equal(checksumOf(...Array.from(octets, (octet) => Uint8Array.of(octet))), whole, `${length}`);
    for (let at = 0; at <= length; at++) {
      assert.equal(checksumOf(octets.subarray(0, at), octets.subarray(at)), whole, `${length} cut at ${at}`);
    }
  }
});

Deno.test("PlainChecksum sees each octet that differs, is missing, is added, or is in another place", () => {
  for (const length of [1, 3, 4, 15, 16, 17, 32, 33, 100]) {
    const octets = noise(length);
    const checksum = checksumOf(octets);
    for (let at = 0; at < length; at++) {
      for (const bit of [1, 0x80, 0xff]) {
        const other = octets.slice();
        other[at]! ^= bit;
        assert.notEqual(checksumOf(other), checksum, `${length}, ${at}, ${bit}`);
      }
      assert.notEqual(checksumOf(octets.subarray(0, at), octets.subarray(at + 1)), checksum, `${length} without ${at}`);
    }
    assert.notEqual(checksumOf(octets, Uint8Array.of(0)), checksum);
    assert.notEqual(checksumOf(Uint8Array.of(0), octets), checksum);
    if (length > 1) assert.notEqual(checksumOf(octets.slice().reverse()), checksum);
  }
  const zeros = Array.from({ length: 40 }, (_, length) => checksumOf(new Uint8Array(length)));
  assert.equal(new Set(zeros).size, 40);
});
