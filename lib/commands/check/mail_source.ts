// The sources of messages for `postprox check`: files, the files in directories, and standard input.
//
// A directory is read with its subdirectories, in the order of the names. A link to a directory is not followed.
// Reading throws `IoError`.

import type { Conn, Files } from "../../ports/runtime.ts";
import { IoError } from "../../ports/io_error.ts";

/** Something that has messages in it. */
export interface MailSource {
  readonly name: string;
  /** In octets; undefined if nobody knows. */
  readonly size: number | undefined;
  /** The whole content in pieces. Each is valid until the next one. */
  chunks(): AsyncIterable<Uint8Array>;
}

/** An operand that cannot be read. */
export interface NoSource {
  readonly name: string;
  readonly why: string;
}

export interface SourceParts {
  readonly files: Files;
  /** Standard input. */
  readonly input: Conn;
}

const READ_SIZE = 65_536;

/** Finds the sources that the operands name, in order. */
export async function findSources(
  parts: SourceParts,
  operands: readonly string[],
): Promise<readonly (MailSource | NoSource)[]> {
  const found: (MailSource | NoSource)[] = [];
  for (const operand of operands) {
    if (operand === "-") found.push({ name: "-", size: undefined, chunks: () => readAll(parts.input) });
    else found.push(...await find(parts.files, operand));
  }
  return found;
}

async function find(files: Files, path: string): Promise<(MailSource | NoSource)[]> {
  try {
    const { kind, size } = await files.stat(path);
    if (kind === "file") return [{ name: path, size, chunks: () => readFile(files, path) }];
    if (kind !== "directory") return [{ name: path, why: "it is neither a file nor a directory" }];
    const found: (MailSource | NoSource)[] = [];
    for (const name of (await files.list(path)).toSorted()) {
      const below = `${path.replace(/\/+$/, "")}/${name}`;
      if (!await isLinkToDirectory(files, below)) found.push(...await find(files, below));
    }
    return found;
  } catch (error) {
    if (!(error instanceof IoError)) throw error;
    return [{ name: path, why: error.message }];
  }
}

async function isLinkToDirectory(files: Files, path: string): Promise<boolean> {
  return (await files.lstat(path)).kind === "link" && (await files.stat(path)).kind === "directory";
}

async function* readFile(files: Files, path: string): AsyncGenerator<Uint8Array> {
  const file = await files.open(path);
  const buffer = new Uint8Array(READ_SIZE);
  try {
    for (let at = 0;;) {
      const count = await file.read(buffer, at);
      if (count === null) return;
      yield buffer.subarray(0, count);
      at += count;
    }
  } finally {
    file.close();
  }
}

async function* readAll(conn: Conn): AsyncGenerator<Uint8Array> {
  const buffer = new Uint8Array(READ_SIZE);
  for (let count = await conn.read(buffer); count !== null; count = await conn.read(buffer)) {
    yield buffer.subarray(0, count);
  }
}
