// Tests of lib/metrics/page/figures.ts: numbers for people.

import assert from "node:assert/strict";
import {
  Clockface,
  formatAge,
  formatBytes,
  formatCount,
  formatRate,
  formatSeconds,
  formatShare,
} from "../../../lib/metrics/page/figures.ts";

const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

const ROWS: readonly [shown: string, expected: string][] = [
  [formatCount(0), "0"],
  [formatCount(999), "999"],
  [formatCount(1_000), "1,000"],
  [formatCount(999_999), "999,999"],
  [formatCount(999_999.7), "1.00 M"],
  [formatCount(1_000_000), "1.00 M"],
  [formatCount(999_994_000), "999.99 M"],
  [formatCount(999_996_000), "1.00 G"],
  [formatCount(4_200_000_000), "4.20 G"],
  [formatCount(999_999_000_000), "1.00 T"],
  [formatCount(Number.MAX_SAFE_INTEGER), "> 999 T"],

  [formatRate(0), "0"],
  [formatRate(0.01), "< 0.1"],
  [formatRate(0.25), "0.3"],
  [formatRate(9.94), "9.9"],
  [formatRate(9.95), "10"],
  [formatRate(1_234.5), "1,235"],

  [formatShare(0, 0), "0 %"],
  [formatShare(0, 10), "0 %"],
  [formatShare(10, 10), "100 %"],
  // Something is never nothing, and not all is never all.
  [formatShare(1, 1_000_000), "< 0.1 %"],
  [formatShare(999_999, 1_000_000), "> 99.9 %"],
  [formatShare(995, 1_000), "99.5 %"],
  [formatShare(1, 3), "33 %"],
  [formatShare(1, 30), "3.3 %"],

  [formatSeconds(0), "0.0 ms"],
  [formatSeconds(0.0004), "0.4 ms"],
  [formatSeconds(0.035), "35 ms"],
  [formatSeconds(0.9996), "1.0 s"],
  [formatSeconds(9.96), "10 s"],
  [formatSeconds(119), "119 s"],
  [formatSeconds(150), "2.5 min"],

  [formatBytes(0), "0 B"],
  [formatBytes(999), "999 B"],
  [formatBytes(5_210), "5.2 kB"],
  [formatBytes(999_600), "1.0 MB"],
  [formatBytes(91_200_441_120), "91.2 GB"],
  [formatBytes(2e18), "2000 PB"],

  // The clock of the machine may have been set back.
  [formatAge(-5 * SECOND), "0 s"],
  [formatAge(119 * SECOND), "119 s"],
  [formatAge(120 * SECOND), "2 min"],
  [formatAge(HOUR - 1), "59 min"],
  [formatAge(HOUR), "1 h 0 min"],
  [formatAge(DAY - 1), "23 h 59 min"],
  [formatAge(3 * DAY + 4 * HOUR), "3 d 4 h"],
  [formatAge(1_000 * DAY), "1,000 d 0 h"],
];

Deno.test("numbers are short, and do not hide what matters", () => {
  for (const [shown, expected] of ROWS) assert.equal(shown, expected);
});

Deno.test("a clock shows the time of its place, and says which", () => {
  const time = Date.UTC(2026, 10, 29, 23, 7, 5);
  const utc = new Clockface(0);
  assert.deepEqual(
    [utc.second(time), utc.minute(time), utc.day(time), utc.machine(time), utc.zone],
    ["23:07:05", "23:07", "2026-11-29 23:07", "2026-11-29T23:07:05Z", "UTC"],
  );
  const east = new Clockface(330);
  assert.deepEqual(
    [east.day(time), east.machine(time), east.zone],
    ["2026-11-30 04:37", "2026-11-30T04:37:05+05:30", "UTC+05:30"],
  );
  const west = new Clockface(-210);
  assert.deepEqual([west.machine(time), west.zone], ["2026-11-29T19:37:05-03:30", "UTC-03:30"]);
});
