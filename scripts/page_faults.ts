// Makes an executable start with fewer page faults. On some virtual machines a fault costs 12 to 17 microseconds. There they
// are most of what the start of a Bun executable costs.
//
// Both edits are for ELF executables of 64 bits that are loaded at a fixed address (elf(5)). They look first whether the file
// is as they expect. If it is not, as another Bun's may be, they change nothing and say so.

import { Buffer } from "node:buffer";

/** The size of a huge page on Linux, on all machines that Bun runs on. */
const HUGE_PAGE = 0x20_0000;

const LOAD = 1;
const FIXED_ADDRESS = 2;

interface Header {
  /** Where its entry in the table is. */
  readonly at: number;
  readonly type: number;
  readonly offset: number;
  readonly address: number;
  /** Its octets in the file. */
  readonly size: number;
}

/** The program headers of a fixed-address executable; undefined for any other file. */
function readHeaders(octets: Uint8Array): readonly Header[] | undefined {
  const view = viewOf(octets);
  // 64 bits, little-endian.
  if (octets.length < 64 || view.getUint32(0) !== 0x7f45_4c46 || view.getUint16(4) !== 0x0201) return undefined;
  if (view.getUint16(16, true) !== FIXED_ADDRESS) return undefined;
  const [start, size, count] = [
    Number(view.getBigUint64(32, true)),
    view.getUint16(54, true),
    view.getUint16(56, true),
  ];
  if (size !== 56 || start + size * count > octets.length) return undefined;
  return Array.from({ length: count }, (_, number) => {
    const at = start + size * number;
    const field = (offset: number) => Number(view.getBigUint64(at + offset, true));
    return { at, type: view.getUint32(at, true), offset: field(8), address: field(16), size: field(32) };
  });
}

/**
 * Sets the default of mimalloc's option `allow_thp` from 0 to 1, in place. Its memory then consists of huge pages. The
 * environment's MIMALLOC_ALLOW_THP=0 takes that back. Returns false if the option is not found as expected.
 */
export function allowHugePages(octets: Uint8Array): boolean {
  const loaded = readHeaders(octets)?.filter(({ type }) => type === LOAD) ?? [];
  const file = Buffer.from(octets.buffer, octets.byteOffset, octets.byteLength);
  const places: number[] = [];
  for (const before of indexesOf(file, Buffer.from("\0allow_thp\0"))) {
    const name = before + 1;
    const part = loaded.find(({ offset, size }) => name >= offset && name < offset + size);
    if (!part) continue;
    const pointer = Buffer.alloc(8);
    pointer.writeBigUInt64LE(BigInt(name - part.offset + part.address));
    // A description of an option (mimalloc, src/options.c): its value, whether it was set, its number, its name.
    for (const at of indexesOf(file, pointer)) if (at % 8 === 0) places.push(at - 16);
  }
  const [place] = places;
  if (place === undefined || places.length > 1 || place < 0) return false;
  const view = viewOf(octets);
  if (view.getBigInt64(place, true) !== 0n || view.getInt32(place + 8, true) !== 0) return false;
  view.setBigInt64(place, 1n, true);
  return true;
}

/**
 * The same executable with each loaded part at an offset in the file that equals its address, in units of huge pages.
 * So the kernel can map large pieces of the page cache at once. It has no section table and no symbols any more.
 * Undefined if the file is not as expected.
 */
export function alignToHugePages(octets: Uint8Array): Uint8Array | undefined {
  const headers = readHeaders(octets);
  if (!headers) return undefined;
  const loaded = headers.filter(({ type }) => type === LOAD);
  const base = Math.min(...loaded.map(({ address }) => address));
  const first = loaded.find(({ address }) => address === base);
  // The first part begins with the file's own header, and all that has an address is in a loaded part.
  if (first?.offset !== 0 || base % HUGE_PAGE !== 0) return undefined;
  const isInside = ({ address, size }: Header) =>
    loaded.some((part) => address >= part.address && address + size <= part.address + part.size);
  if (!headers.every((header) => header.address === 0 || isInside(header))) return undefined;

  const result = new Uint8Array(Math.max(...loaded.map(({ address, size }) => address - base + size)));
  for (const { offset, address, size } of loaded) result.set(octets.subarray(offset, offset + size), address - base);
  const view = viewOf(result);
  for (const { at, type, address } of headers) {
    if (address === 0) continue;
    view.setBigUint64(at + 8, BigInt(address - base), true);
    if (type === LOAD) view.setBigUint64(at + 48, BigInt(HUGE_PAGE), true);
  }
  // There is no section table.
  view.setBigUint64(40, 0n, true);
  for (const field of [60, 62]) view.setUint16(field, 0, true);
  return result;
}

function viewOf({ buffer, byteOffset, byteLength }: Uint8Array): DataView {
  return new DataView(buffer, byteOffset, byteLength);
}

function* indexesOf(file: Buffer, wanted: Buffer): Generator<number> {
  for (let at = file.indexOf(wanted); at >= 0; at = file.indexOf(wanted, at + 1)) yield at;
}
