// Tests of lib/text/rooms.ts: memory that is used again, and memory that is shared. No octet may ever have two owners.

import assert from "node:assert/strict";
import { copyOf, giveRoom, ROOM, takeRoom } from "../../lib/text/rooms.ts";
import { SEED, seeded } from "../rig/octets.ts";

Deno.test("takeRoom has room for what is asked for", () => {
  for (const length of [0, 1, ROOM, ROOM + 1, 20 * ROOM]) assert.equal(takeRoom(length).length, Math.max(length, ROOM));
});

Deno.test("a room that was given back is used again, and a larger one is not kept", () => {
  const [room, large] = [takeRoom(1), takeRoom(ROOM + 1)];
  giveRoom(large);
  giveRoom(room);
  assert.equal(takeRoom(ROOM), room);
  assert.notEqual(takeRoom(ROOM + 1), large);
  // Memory of another size is not kept either.
  const small = new Uint8Array(100);
  giveRoom(small);
  assert.notEqual(takeRoom(1), small);
});

Deno.test("a room has one owner, and few rooms are kept", () => {
  const random = seeded(SEED);
  const owned = new Set<Uint8Array<ArrayBuffer>>();
  for (let move = 0; move < 2000; move++) {
    if (random() < 0.5) {
      const room = takeRoom(1);
      assert.ok(!owned.has(room), `seed ${SEED}, move ${move}`);
      owned.add(room);
    } else {
      const [room] = owned;
      if (room) giveRoom(room);
      if (room) owned.delete(room);
    }
  }
  const rooms = Array.from({ length: 100 }, () => takeRoom(1));
  rooms.forEach(giveRoom);
  const again = new Set(Array.from({ length: 100 }, () => takeRoom(1)));
  assert.equal(rooms.filter((room) => again.has(room)).length, 16);
});

Deno.test("copyOf gives copies that stay, whatever is copied later", () => {
  const random = seeded(SEED);
  const source = new Uint8Array(3000);
  const copies: { copy: Uint8Array; expected: Uint8Array }[] = [];
  for (let move = 0; move < 500; move++) {
    for (let at = 0; at < source.length; at++) source[at] = random() * 256;
    const start = Math.floor(random() * 100);
    // Some are empty, and some are too long to share memory.
    const end = start + Math.floor(random() * (move % 10 === 0 ? 2900 : 300));
    copies.push({ copy: copyOf(source, start, end), expected: source.slice(start, end) });
  }
  for (const { copy, expected } of copies) assert.deepEqual(copy, expected, `seed ${SEED}`);
});

Deno.test("a copy keeps little other memory", () => {
  for (const length of [1, 30, 256, 257, 5000]) {
    assert.ok(copyOf(new Uint8Array(length), 0, length).buffer.byteLength <= Math.max(length, 2048));
  }
});
