// Rooms: memory that is used again and again. New memory for each message costs more than the work in it.
//
// A room has the octets of its last use. So its owner reads only what it has written there itself. It gives the room back
// only if nobody else can still have a view of it. If it is not sure, it forgets the room.

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
