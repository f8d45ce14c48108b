// Files as they were when somebody read them: one process reads them, and others then read the same, whatever happens to
// the files in between.
//
// The supervisor keeps the files that options name. A worker that replaces another one then has the same settings, even if
// the administrator is in the middle of an edit.

import { IoError } from "./io_error.ts";
import type { File, Files } from "./runtime.ts";

/** The content of files, by their paths. Each character is an octet. */
export type Kept = Readonly<Record<string, string>>;

/** `files`, and a growing record of what is read from those that are opened for reading. */
export function keepingFiles(files: Files): { readonly files: Files; readonly kept: Kept } {
  const kept: Record<string, string> = {};
  const open = async (path: string) => {
    const file = await files.open(path);
    kept[path] = "";
    const read = async (into: Uint8Array, at: number) => {
      const count = await file.read(into, at);
      if (count !== null) kept[path] = kept[path]!.slice(0, at) + charactersOf(into.subarray(0, count));
      return count;
    };
    return changed(file, { read });
  };
  return { files: changed(files, { open }), kept };
}

/** `files`, but those in `kept` are read as they were. Nothing else can be done with them. */
export function keptFiles(files: Files, kept: Kept): Files {
  const open = (path: string) => Object.hasOwn(kept, path) ? Promise.resolve(keptFile(kept[path]!)) : files.open(path);
  return changed(files, { open });
}

function keptFile(content: string): File {
  const refuse = () => Promise.reject(new IoError("denied", "the file is only kept to be read"));
  return {
    read: async (into, at) => {
      const count = Math.min(into.length, content.length - at);
      for (let offset = 0; offset < count; offset++) into[offset] = content.charCodeAt(at + offset);
      return count > 0 ? count : null;
    },
    append: refuse,
    stat: refuse,
    backdate: refuse,
    sync: refuse,
    isUnlocked: refuse,
    lock: refuse,
    close: () => {},
  };
}

// `whole` with some of its methods changed. The others still belong to it.
function changed<Whole extends object>(whole: Whole, changes: Partial<Whole>): Whole {
  return new Proxy(whole, {
    get: (_, name) => {
      const value = Reflect.get(changes, name) ?? Reflect.get(whole, name);
      return typeof value === "function" ? value.bind(whole) : value;
    },
  });
}

function charactersOf(octets: Uint8Array): string {
  let text = "";
  for (let at = 0; at < octets.length; at += 8192) text += String.fromCharCode(...octets.subarray(at, at + 8192));
  return text;
}
