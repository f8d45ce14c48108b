// Things that a program may do to its file.

import { concat } from "../../lib/text/octets.ts";
import type { FakeRuntime } from "../fakes/runtime.ts";
import { content } from "../fakes/spool.ts";

const K = 1024;

/** Sizes in memory, and beyond. */
export const GIVEN_SIZES = [100, 256 * K, 256 * K + 1, 900 * K];

/** `octets` are what the file holds. */
export type Deed = (files: FakeRuntime["files"], path: string, octets: Uint8Array) => void;

export const CHANGES: Readonly<Record<string, Deed>> = {
  "appends to it": (files, path, octets) => files.overwrite(path, concat([octets, Uint8Array.of(7)])),
  "cuts it": (files, path, octets) => files.overwrite(path, octets.subarray(1)),
  "writes as much": (files, path, octets) => files.overwrite(path, new Uint8Array(octets.length)),
  "changes the last octet": (files, path, octets) =>
    files.overwrite(path, octets.map((o, at) => at + 1 < octets.length ? o : o ^ 1)),
  "renames another over it": (files, path) => files.replace(path, content(10)),
  "renames one as large over it": (files, path, octets) => files.replace(path, new Uint8Array(octets.length)),
};

export const NO_CHANGES: Readonly<Record<string, Deed>> = {
  "nothing": () => {},
  "touches it": (files, path, octets) => files.overwrite(path, octets),
  "writes the same again": (files, path, octets) => {
    files.overwrite(path, new Uint8Array(0));
    files.overwrite(path, octets);
  },
  "renames a copy over it": (files, path, octets) => files.replace(path, octets),
};
