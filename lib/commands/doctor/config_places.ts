// Where a line of main.cf or master.cf stands, and what to write there. Pure.
//
// If the text of the file cannot be read, the place is the file without a line number.

import type { Change } from "./finding.ts";
import { type Entry, nameOf, type Postfix } from "./postfix.ts";

/** Sets `name` in main.cf. */
export function inMain(postfix: Postfix, name: string, value: string): Change {
  const file = `${postfix.directory}/main.cf`;
  const place = placeInMain(postfix.files.main ?? "", name);
  const where = place === undefined ? `add to ${file}:` : `in ${file}, change ${linesFrom(place)} to:`;
  return { where, lines: [`${name} = ${value}`] };
}

/** Sets `name` for one entry of master.cf. */
export function inMaster(postfix: Postfix, entry: Entry, { name, value }: { name: string; value: string }): Change {
  const file = `${postfix.directory}/master.cf`;
  const text = /\s/.test(value) ? `-o { ${name} = ${value} }` : `-o ${name}=${value}`;
  const place = placeInMaster(postfix.files.master ?? "", entry);
  const option = place?.options.get(name);
  if (option === undefined) {
    const at = place === undefined ? "to the entry" : `after line ${place.line}, to the entry`;
    return { where: `in ${file}, add ${at} "${nameOf(entry)}":`, lines: [`    ${text}`] };
  }
  const what = option.isAlone ? `change line ${option.line}` : `in line ${option.line}, change the option`;
  return { where: `in ${file}, ${what} to:`, lines: [`    ${text}`] };
}

/** Sets `name` where it is set now: for the entry if it has its own value, otherwise in main.cf. */
export function whereSet(postfix: Postfix, entry: Entry, setting: { name: string; value: string }): Change {
  const { name, value } = setting;
  return postfix.hasOwn(name, entry) ? inMaster(postfix, entry, setting) : inMain(postfix, name, value);
}

/** Replaces the first eight words of an entry. */
export function entryLine(postfix: Postfix, entry: Entry, changed: Partial<Entry>): Change {
  const file = `${postfix.directory}/master.cf`;
  const place = placeInMaster(postfix.files.master ?? "", entry);
  const { name, type, private: isPrivate, unprivileged, chroot, wakeUp, processes, command } = { ...entry, ...changed };
  const line = [name, type, isPrivate, unprivileged, chroot, wakeUp, processes, command].join(" ");
  const at = place === undefined ? `the first words of the entry "${nameOf(entry)}"` : `line ${place.line}`;
  const rest = place?.hasMore ? ", up to the command," : "";
  return { where: `in ${file}, change ${at}${rest} to:`, lines: [line] };
}

/** The place of an entry's words, such as its argv=. */
export function placeOfEntry(postfix: Postfix, entry: Entry): string {
  const place = placeInMaster(postfix.files.master ?? "", entry);
  const at = place === undefined ? "" : `, line ${place.line}`;
  return `in ${postfix.directory}/master.cf${at}, in argv= of the entry "${nameOf(entry)}":`;
}

interface Span {
  readonly first: number;
  readonly last: number;
}

function linesFrom({ first, last }: Span): string {
  return first === last ? `line ${first}` : `lines ${first} to ${last}`;
}

/** The last assignment counts. Lines that begin with a blank continue it. */
function placeInMain(text: string, name: string): Span | undefined {
  let found: { first: number; last: number } | undefined;
  let isInside = false;
  for (const [at, line] of text.split("\n").entries()) {
    if (/^\s*(?:#|$)/.test(line)) continue;
    if (/^\s/.test(line)) {
      if (isInside && found) found.last = at + 1;
      continue;
    }
    isInside = /^([^\s=]+)\s*=/.exec(line)?.[1] === name;
    if (isInside) found = { first: at + 1, last: at + 1 };
  }
  return found;
}

interface MasterPlace {
  readonly line: number;
  /** The first line has more than the first eight words. */
  readonly hasMore: boolean;
  readonly options: ReadonlyMap<string, { readonly line: number; readonly isAlone: boolean }>;
}

function placeInMaster(text: string, { name, type }: Entry): MasterPlace | undefined {
  let line: number | undefined;
  let hasMore = false;
  let isInside = false;
  const options = new Map<string, { line: number; isAlone: boolean }>();
  for (const [at, whole] of text.split("\n").entries()) {
    if (/^\s*(?:#|$)/.test(whole)) continue;
    if (/^\S/.test(whole)) {
      const words = whole.split(/\s+/).filter(Boolean);
      isInside = words[0] === name && words[1] === type;
      if (isInside) {
        line = at + 1;
        hasMore = words.length > 8;
        options.clear();
      }
    }
    if (!isInside) continue;
    const all = [...whole.matchAll(/-o\s*(?:\{\s*)?([^\s={}]+)\s*=/g)];
    const isAlone = all.length === 1 && /^\s+-o/.test(whole);
    for (const [, option] of all) options.set(option!, { line: at + 1, isAlone });
  }
  return line === undefined ? undefined : { line, hasMore, options };
}
