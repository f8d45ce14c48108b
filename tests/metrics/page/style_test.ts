// Tests of lib/metrics/page/style.ts: its digest, and whether people can read its colours.

import assert from "node:assert/strict";
import { STYLE, STYLE_DIGEST } from "../../../lib/metrics/page/style.ts";

Deno.test("the digest is that of the style sheet", async () => {
  const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(STYLE));
  assert.equal(btoa(String.fromCharCode(...new Uint8Array(digest))), STYLE_DIGEST);
});

Deno.test("the style sheet brings nothing from elsewhere and ends no element", () => {
  assert.doesNotMatch(STYLE, /url\(|@import|@font-face|<|\\/);
});

// Text and its background, which must have a contrast of 4.5 to 1 (WCAG 2.2, 1.4.3).
const TEXT: readonly [text: string, ground: string][] = [
  ["ink", "page"],
  ["ink", "panel"],
  ["soft", "page"],
  ["soft", "panel"],
  ...["ok", "warn", "bad"].flatMap((
    tone,
  ): [string, string][] => [[tone, "panel"], [tone, `${tone}-wash`], ["ink", `${tone}-wash`]]),
];

// What is drawn must have 3 to 1 (1.4.11).
const DRAWN = ["pass", "tag", "bypass", "unchecked", "reject", "tempfail", "discard", "quarantine", "sessions"];

Deno.test("colours have the contrast of WCAG's level AA, light and dark", () => {
  const [light, dark] = [...STYLE.matchAll(/:root\{(?:color-scheme:light dark;)?([^}]+)\}/g)].map((found) =>
    new Map([...found[1]!.matchAll(/--([\w-]+):(#[0-9a-f]+)/g)].map(([, name, colour]) => [name!, colour!]))
  );
  for (const [scheme, colours] of [["light", light!], ["dark", dark!]] as const) {
    const pairs = [...TEXT.map((pair) => [...pair, 4.5] as const), ...DRAWN.map((name) => [name, "panel", 3] as const)];
    for (const [front, back, least] of pairs) {
      const ratio = contrast(colours.get(front)!, colours.get(back)!);
      assert.ok(ratio >= least, `${scheme}: ${front} on ${back} has ${ratio.toFixed(2)}`);
    }
  }
});

function contrast(one: string, other: string): number {
  const [dark, light] = [luminance(one), luminance(other)].toSorted((a, b) => a - b);
  return (light! + 0.05) / (dark! + 0.05);
}

// WCAG 2.2, "relative luminance".
function luminance(colour: string): number {
  const digits = colour.length === 4 ? colour.slice(1).replace(/./g, "$&$&") : colour.slice(1);
  const [red, green, blue] = [0, 2, 4].map((at) => {
    const part = parseInt(digits.slice(at, at + 2), 16) / 255;
    return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * red! + 0.7152 * green! + 0.0722 * blue!;
}
