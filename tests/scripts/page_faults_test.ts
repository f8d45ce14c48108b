// The two edits that save page faults, on small executables made here: they change what they should, and leave alone what
// looks otherwise. tests/runtime/executable_test.ts has the real one.

import assert from "node:assert/strict";
import { alignToHugePages, allowHugePages } from "../../scripts/page_faults.ts";

const BASE = 0x20_0000;
const PART = 0x1000;

interface Shape {
  readonly type?: number;
  readonly base?: number;
  /** The options of mimalloc: their values, and whether each was set. */
  readonly options?: readonly { readonly value: bigint; readonly wasSet: number }[];
}

const OPTION = { value: 0n, wasSet: 0 };

/** Where the second part begins in the file. */
const SECOND = 0x800;

/**
 * An executable with two loaded parts: its header with the name of the option, and after it in the file the options. In
 * memory there is a gap between them.
 */
function executable({ type = 2, base = BASE, options = [OPTION] }: Shape = {}): Uint8Array {
  const octets = new Uint8Array(SECOND + PART);
  const view = new DataView(octets.buffer);
  octets.set([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1]);
  view.setUint16(16, type, true);
  view.setBigUint64(32, 64n, true); // where the program headers are
  view.setBigUint64(40, 0x999n, true); // the section table
  for (const [at, value] of [[54, 56], [56, 3], [58, 64], [60, 7], [62, 6]] as const) view.setUint16(at, value, true);
  const headers = [
    { type: 6, offset: 64, address: base + 64, size: 3 * 56 },
    { type: 1, offset: 0, address: base, size: 0x800 },
    { type: 1, offset: SECOND, address: base + 0x3800, size: PART },
  ];
  for (const [number, { type, offset, address, size }] of headers.entries()) {
    const at = 64 + 56 * number;
    view.setUint32(at, type, true);
    for (
      const [field, value] of [[8, offset], [16, address], [24, address], [32, size], [40, size], [48, PART]] as const
    ) {
      view.setBigUint64(at + field, BigInt(value), true);
    }
  }
  // The content of the parts.
  octets.fill(1, 0x400, SECOND);
  octets.fill(2, SECOND);
  octets.set(new TextEncoder().encode("\0allow_thp\0"), 0x400);
  for (const [number, { value, wasSet }] of options.entries()) {
    const at = SECOND + 0x100 + 0x28 * number;
    view.setBigInt64(at, value, true);
    view.setInt32(at + 8, wasSet, true);
    view.setBigUint64(at + 16, BigInt(base + 0x401), true);
  }
  return octets;
}

Deno.test("allowHugePages sets the one option, and nothing else", () => {
  const octets = executable();
  const expected = octets.slice();
  expected[SECOND + 0x100] = 1;
  assert.equal(allowHugePages(octets), true);
  assert.deepEqual(octets, expected);
});

Deno.test("alignToHugePages puts each part where its address says, and forgets the sections", () => {
  const before = executable();
  const aligned = alignToHugePages(before)!;
  const view = new DataView(aligned.buffer);
  assert.equal(aligned.length, 0x3800 + PART);
  assert.deepEqual(aligned.slice(0x3800), before.slice(0x800));
  assert.deepEqual(aligned.slice(0x400, 0x800), before.slice(0x400, 0x800));
  assert.ok(aligned.slice(0x800, 0x3800).every((octet) => octet === 0));
  const fields = (header: number) =>
    [8, 16, 32, 48].map((at) => Number(view.getBigUint64(64 + 56 * header + at, true)));
  assert.deepEqual(fields(0), [64, BASE + 64, 3 * 56, PART]);
  assert.deepEqual(fields(1), [0, BASE, 0x800, 0x20_0000]);
  assert.deepEqual(fields(2), [0x3800, BASE + 0x3800, PART, 0x20_0000]);
  assert.equal(view.getBigUint64(40, true), 0n);
  assert.deepEqual([54, 56, 60, 62].map((at) => view.getUint16(at, true)), [56, 3, 0, 0]);
});

const OTHERS: readonly (readonly [name: string, octets: Uint8Array])[] = [
  ["no executable", new TextEncoder().encode("#!/bin/sh\n".repeat(20))],
  ["an empty file", new Uint8Array(0)],
  ["one whose headers are cut off", executable().slice(0, 100)],
  ["one that is loaded anywhere", executable({ type: 3 })],
];

Deno.test("Other files stay as they are", () => {
  const options: typeof OTHERS = [
    ["no option of that name", executable({ options: [] })],
    ["two of them", executable({ options: [OPTION, OPTION] })],
    ["another default", executable({ options: [{ ...OPTION, value: 1n }] })],
    ["an option that was set", executable({ options: [{ ...OPTION, wasSet: 1 }] })],
  ];
  for (const [name, octets] of [...OTHERS, ...options]) {
    const before = octets.slice();
    assert.equal(allowHugePages(octets), false, name);
    assert.deepEqual(octets, before, name);
  }
  for (const [name, octets] of [...OTHERS, ["a base inside a huge page", executable({ base: BASE + PART })] as const]) {
    assert.equal(alignToHugePages(octets), undefined, name);
  }
  // The first part is not the beginning of the file.
  const moved = executable();
  new DataView(moved.buffer).setBigUint64(64 + 56 + 8, 8n, true);
  assert.equal(alignToHugePages(moved), undefined);
  // A table has an address outside of all parts.
  const outside = executable();
  new DataView(outside.buffer).setBigUint64(64 + 16, BigInt(BASE + 0x9000), true);
  assert.equal(alignToHugePages(outside), undefined);
});
