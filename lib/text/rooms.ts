// Rooms: memory that is used again and again. New memory for each message costs more than the work in it.
//
// A room has the octets of its last use. So its owner reads only what it has written there itself. It gives the room back
// only if nobody else can still have a view of it. If it is not sure, it forgets the room.
//
// `copyOf` is for copies that anybody may keep. Short copies share memory, but no octet of it is used twice. The memory
// lives as long as one of its copies, so it is small.

/** The size of a room in octets. Most mail needs no more. */
export const ROOM = 16_384;

// A burst may use more rooms. Later ones are new then.
const KEPT = 16;

const kept: Uint8Array<ArrayBuffer>[] = [];

/** Memory for `length` octets or more. It may hold any octets. */
export function takeRoom(length: number): Uint8Array<ArrayBuffer> {
  return length <= ROOM && kept.pop() || new Uint8Array(Math.max(length, ROOM));
}

/** Nobody may use `room` after this. */
export function giveRoom(room: Uint8Array<ArrayBuffer>): void {
  if (room.length === ROOM && kept.length < KEPT) kept.push(room);
}

// On Deno, new memory takes longer than all other work on a short line.
const SHARED = 2048;
const SHORT = 256;

let shared = new Uint8Array(SHARED);
let used = 0;

/** A copy of the octets from `start` to `end`. Nobody may write into it. */
export function copyOf(octets: Uint8Array, start: number, end: number): Uint8Array {
  const length = end - start;
  if (length > SHORT) return octets.slice(start, end);
  if (used + length > SHARED) {
    shared = new Uint8Array(SHARED);
    used = 0;
  }
  const from = used;
  for (let at = start; at < end; at++) shared[used++] = octets[at]!;
  return shared.subarray(from, used);
}
