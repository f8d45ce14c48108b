// Tests of lib/options/kinds.ts: each right text has its value, each wrong one is refused, and a printed value is read
// as the same value.

import assert from "node:assert/strict";
import {
  choice,
  COMMAND,
  COUNT,
  COUNT_OR_0,
  DIRECTORY,
  FACTOR,
  FILE,
  SCORE,
  SECONDS,
  SIZE,
} from "../../lib/options/kinds.ts";
import { check } from "./check_kind.ts";

Deno.test("SECONDS is a number of seconds above 0, as milliseconds", () => {
  check(SECONDS, [["1", 1000], ["0.5", 500], ["0.001", 1], ["604800", 604_800_000], ["007", 7000]], [
    "",
    "0",
    "0.0",
    "0.0001",
    "-1",
    "+1",
    "1e3",
    "1s",
    " 1",
    ".5",
    "1.",
    "1,5",
    "604801",
    "NaN",
    "Infinity",
    "0x10",
    "9".repeat(400),
  ]);
});

Deno.test("SIZE is octets with K, M and G", () => {
  check(SIZE, [["1", 1], ["10K", 10_240], ["10k", 10_240], ["3M", 3 * 1024 ** 2], ["2g", 2 * 1024 ** 3]], [
    "",
    "0",
    "0K",
    "-1",
    "1.5M",
    "1T",
    "1KB",
    "K",
    "1 K",
    "9".repeat(13),
  ]);
});

Deno.test("COUNT is a number above 0", () => {
  check(COUNT, [["1", 1], ["999999999", 999_999_999]], ["", "0", "-1", "1.5", "1e3", "x", "9999999999"]);
});

Deno.test("FACTOR is a number of at least 1", () => {
  check(FACTOR, [
    ["1", 1],
    ["1.5", 1.5],
    ["9999.999", 9999.999],
  ], ["", "0", "0.9", "-2", "1.", ".5", "x", "2x", "1e3", "10000", "Infinity", "NaN"]);
});

Deno.test("SCORE is a number with a sign and a fraction", () => {
  check(SCORE, [
    ["15", 15],
    ["0", 0],
    ["-0", 0],
    ["+7.5", 7.5],
    ["-3.25", -3.25],
    ["0.001", 0.001],
    ["999999.999", 999_999.999],
  ], ["", "-", "x", "1e3", "1.", ".5", "1,5", "0x10", "1.2345", "--1", "1000000", "NaN", "Infinity", " 5", "5 "]);
});

Deno.test("SECONDS and SIZE are printed in their own units", () => {
  assert.equal(SECONDS.print(1500), "1.5");
  assert.equal(SIZE.print(10_240), "10240");
});

Deno.test("COUNT_OR_0 may be 0", () => {
  check(COUNT_OR_0, [["0", 0], ["7", 7]], ["", "00", "-0", "0.0"]);
});

Deno.test("FILE and DIRECTORY are any text except the empty one, COMMAND is any text", () => {
  for (const kind of [FILE, DIRECTORY]) check(kind, [["/x y", "/x y"], ["x", "x"]], [""]);
  check(COMMAND, [["", ""], ["a | b", "a | b"]], []);
});

Deno.test("choice takes one of the words, exactly", () => {
  check(choice("accept", "reject"), [["accept", "accept"], ["reject", "reject"]], [
    "",
    "ACCEPT",
    "acc",
    "constructor",
  ]);
});
