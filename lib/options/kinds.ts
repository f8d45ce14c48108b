// The kinds of values of options: how to read a value, how to print it, and what a shell offers for it. Pure.
//
// `parse` throws a `UsageError`, which quotes the text and shows a right one. Times are in milliseconds, sizes in
// octets.

import { UsageError } from "../ports/start_error.ts";
import { quote } from "../text/quoting.ts";

export interface Kind<Value> {
  /** The help shows this in place of a value. */
  readonly shown: string;
  parse(text: string): Value;
  /** A text that `parse` reads as this value. */
  print(value: Value): string;
  /** Absent if a shell has nothing to offer. */
  readonly offers?: Offer;
}

/** A shell completes a value to any of `words`, and to what it finds. */
export interface Offer {
  readonly words?: readonly string[];
  readonly finds?: "directories" | "files";
}

// A week. No use needs more, and a timer can hold it.
const SECONDS_LIMIT = 604_800;

/** A time in seconds above 0. Fractions are allowed. The value is in milliseconds. */
export const SECONDS: Kind<number> = {
  shown: "SEC",
  parse: (text) => {
    const seconds = /^[0-9]+(?:\.[0-9]+)?$/.test(text) ? Number(text) : NaN;
    const milliseconds = Math.round(seconds * 1000);
    if (milliseconds > 0 && seconds <= SECONDS_LIMIT) return milliseconds;
    throw new UsageError(
      `${quote(text)} is no time limit: give seconds from 0.001 to ${SECONDS_LIMIT}, such as 30`,
    );
  },
  print: (milliseconds) => String(milliseconds / 1000),
};

/** A size in octets above 0. K, M and G stand for 1024 and its powers. */
export const SIZE: Kind<number> = {
  shown: "SIZE",
  parse: (text) => {
    const parts = /^([0-9]{1,12})([KMG]?)$/i.exec(text);
    const size = parts ? Number(parts[1]) * 1024 ** " KMG".indexOf(parts[2]!.toUpperCase() || " ") : 0;
    if (size > 0) return size;
    throw new UsageError(`${quote(text)} is no size: give octets from 1 to 999999999999, such as 10240000 or 10M`);
  },
  print: String,
};

/** A whole number above 0. */
export const COUNT: Kind<number> = { shown: "N", parse: (text) => parseCount(text, 1), print: String };

/** A `COUNT` or 0. */
export const COUNT_OR_0: Kind<number> = { ...COUNT, parse: (text) => text === "0" ? 0 : parseCount(text, 0) };

function parseCount(text: string, least: number): number {
  const count = /^[0-9]{1,9}$/.test(text) ? Number(text) : 0;
  if (count > 0) return count;
  throw new UsageError(`${quote(text)} is no whole number: give one from ${least} to 999999999, such as 100`);
}

/** A number. It may have a sign and a fraction. */
export const SCORE: Kind<number> = {
  shown: "SCORE",
  parse: (text) => {
    // There is no -0.
    if (/^[+-]?[0-9]{1,6}(?:\.[0-9]{1,3})?$/.test(text)) return Number(text) + 0;
    throw new UsageError(
      `${quote(text)} is no score: give a number of 6 digits and 3 decimals at most, such as 15 or 7.5`,
    );
  },
  print: String,
};

/** A number of at least 1. Fractions are allowed. */
export const FACTOR: Kind<number> = {
  shown: "FACTOR",
  parse: (text) => {
    const factor = /^[0-9]{1,4}(?:\.[0-9]+)?$/.test(text) ? Number(text) : 0;
    if (factor >= 1) return factor;
    throw new UsageError(`${quote(text)} is no factor: give a number from 1 to 9999, such as 1.5`);
  },
  print: String,
};

/** A line for the shell. An empty line means that there is no command. */
export const COMMAND: Kind<string> = {
  shown: "COMMAND",
  parse: (text) => text,
  print: (text) => text,
  offers: { finds: "files" },
};

export const FILE: Kind<string> = {
  shown: "FILE",
  parse: (text) => {
    if (text !== "") return text;
    throw new UsageError('"" names no file: give the path of one');
  },
  print: (path) => path,
  offers: { finds: "files" },
};

export const DIRECTORY: Kind<string> = {
  shown: "DIR",
  parse: (text) => {
    if (text !== "") return text;
    throw new UsageError('"" names no directory: give the path of one');
  },
  print: (path) => path,
  offers: { finds: "directories" },
};

/** One of `words`. */
export function choice<Word extends string>(...words: readonly Word[]): Kind<Word> {
  return {
    shown: words.join("|"),
    parse: (text) => {
      const word = words.find((one) => one === text);
      if (word !== undefined) return word;
      throw new UsageError(`${quote(text)} is not known: give ${words.join(" or ")}`);
    },
    print: (word) => word,
    offers: { words },
  };
}
