// Inputs that once broke a rule, one per file, as JSON. `about` says what went wrong. `input` is played again.

import { readdirSync, readFileSync } from "node:fs";
import type { Input } from "./input.ts";

export interface Found {
  readonly name: string;
  readonly about: string;
  readonly input: Input;
}

const FOLDER = new URL("corpus/", import.meta.url);

export function readCorpus(): Found[] {
  const names = readdirSync(FOLDER).filter((name) => name.endsWith(".json")).sort();
  return names.map((name) => ({ name, ...JSON.parse(readFileSync(new URL(name, FOLDER), "utf8")) }));
}
