// Where an option of a postprox stands, and what to write there. Pure.

import { placeOfEntry } from "./config_places.ts";
import { type Facts, isPostfix, type Stand } from "./facts.ts";
import type { Change } from "./finding.ts";

/** Sets the option `long` of `stand`. */
export function setOption(
  { postfix }: Facts,
  { source }: Stand,
  { long, value }: { long: string; value: string },
): Change {
  if (source.kind === "file") return { where: `in ${source.path}, set:`, lines: [`${long} = ${value}`] };
  const lines = [`--${long}=${value}`];
  if (source.kind === "master.cf" && isPostfix(postfix)) {
    const word = /[\s{}]/.test(lines[0]!) ? `{ ${lines[0]} }` : lines[0]!;
    return { where: placeOfEntry(postfix, source.entry), lines: [`    ${word}`] };
  }
  return { where: "in the options of postprox, set:", lines };
}

/** A flag of `stand`. */
export function setFlag({ postfix }: Facts, { source }: Stand, long: string): Change {
  if (source.kind === "file") return { where: `in ${source.path}, set:`, lines: [`${long} = yes`] };
  if (source.kind === "master.cf" && isPostfix(postfix)) {
    return { where: placeOfEntry(postfix, source.entry), lines: [`    --${long}`] };
  }
  return { where: "in the options of postprox, set:", lines: [`--${long}`] };
}
