// Reads small files whole, such as rules that an administrator wrote.

import { concat, textOf } from "../text/octets.ts";
import { IoError } from "./io_error.ts";
import type { Files } from "./runtime.ts";

// No rules need more. Without a limit, a device would never end.
const SIZE_LIMIT = 16 * 1024 * 1024;

const READ_SIZE = 65536;

/** The text of the file at `path`, read as UTF-8. Its line ends become LF. Throws `IoError`. */
export async function readTextFile(files: Pick<Files, "open">, path: string): Promise<string> {
  return textOf(await readSmallFile(files, path)).replaceAll("\r\n", "\n");
}

/** The octets of the file at `path`, without a byte order mark of UTF-8 at its start. Throws `IoError`. */
export async function readSmallFile(files: Pick<Files, "open">, path: string): Promise<Uint8Array> {
  const file = await files.open(path);
  try {
    const parts: Uint8Array[] = [];
    let size = 0;
    for (;;) {
      const room = new Uint8Array(READ_SIZE);
      const count = await file.read(room, size);
      if (count === null) return withoutMark(concat(parts));
      parts.push(room.subarray(0, count));
      size += count;
      if (size > SIZE_LIMIT) throw new IoError("other", `${path} is larger than ${SIZE_LIMIT} octets`);
    }
  } finally {
    file.close();
  }
}

function withoutMark(content: Uint8Array): Uint8Array {
  const [first, second, third] = content;
  return first === 0xef && second === 0xbb && third === 0xbf ? content.subarray(3) : content;
}
