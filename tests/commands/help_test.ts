// Tests of lib/commands/help.ts and lib/options/help.ts.

import assert from "node:assert/strict";
import { allOptions } from "../../lib/commands/commands.ts";
import { helpText } from "../../lib/commands/help.ts";
import { COUNT } from "../../lib/options/kinds.ts";
import { formatOptions } from "../../lib/options/help.ts";
import { option, optional, withDefault } from "../../lib/options/table.ts";

const OPTIONS = await allOptions();

Deno.test("helpText names each option with its value, and says something of it, within 80 columns", () => {
  const lines = helpText(OPTIONS).split("\n");
  for (const row of OPTIONS) {
    const { short, long, kind, valueIsOptional } = row;
    const value = kind?.shown;
    const at = lines.findIndex((line) => new RegExp(`^ +(-.,)? *--${long}([ =[]|$)`).test(line));
    assert.ok(at >= 0, `--${long} is not in the help`);
    const entry = lines[at]!;
    if (short) assert.ok(entry.includes(`-${short}, `), entry);
    const forms = valueIsOptional ? [`[=${value}]`] : [` ${value}`, `=${value}`];
    if (value) assert.ok(forms.some((form) => entry.endsWith(`--${long}${form}`) || entry.includes(`${form} `)), entry);
    const words = lines.slice(at, at + 5).join(" ").replace(/\s+/g, " ");
    assert.ok(words.includes(withDefault(row.help, row)), `the help of --${long} is torn: ${words}`);
  }
  for (const line of lines) assert.ok(line.length <= 80, line);
  assert.ok(helpText(OPTIONS).endsWith("\n"));
});

Deno.test("formatOptions prints the default that the row has, and wants a heading for each row", () => {
  const row = { long: "count", kind: COUNT, group: "some", help: "count to N ({default})" };
  assert.match(
    formatOptions([option({ ...row, default: 7 })], { some: "Some" }),
    /^Some:\n {6}--count=N {2,}count to N \(7\)\n$/,
  );
  assert.throws(() => formatOptions([option({ ...row, default: 7 })], { other: "Other" }), /no heading .* --count/);
  assert.throws(() => formatOptions([optional(row)], { some: "Some" }), /--count has no default/);
});
