// Plays every .dialog file beside this one: whole, and again with the octets of the client or of downstream one at a
// time.

import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { parseScript } from "./script.ts";
import { play } from "./player.ts";

const folder = new URL(".", import.meta.url);
const names = readdirSync(folder).filter((name) => name.endsWith(".dialog")).sort();

const MANNERS = {
  "whole": { clientOctetByOctet: false, downstreamOctetByOctet: false },
  "client one octet at a time": { clientOctetByOctet: true, downstreamOctetByOctet: false },
  "downstream one octet at a time": { clientOctetByOctet: false, downstreamOctetByOctet: true },
};

for (const name of names) {
  const script = parseScript(readFileSync(new URL(name, folder), "utf8"));
  for (const [how, manner] of Object.entries(MANNERS)) {
    // Where a packet's borders are what the dialogue is about, other borders are another dialogue.
    if (script.settings.get("packets") === "whole" && manner !== MANNERS.whole) continue;
    Deno.test(`dialogue ${name}, ${how}`, () => play(script, manner));
  }
}

Deno.test("a dialogue fails if a side hears more, less or something else", async () => {
  const whole = `# A greeting.
mx says      220 mx
client hears 220 mx
client ends
mx hears     QUIT
mx is closed
client is closed
`;
  await play(parseScript(whole), MANNERS.whole);
  const slips = [
    whole.replace("client hears 220 mx\n", ""),
    whole.replace("client hears 220 mx", "client hears 221 mx"),
    whole.replace("mx hears     QUIT\n", ""),
    whole.replace("client ends\n", ""),
    whole.replace("client ends\n", "client hears 250 more\nclient ends\n"),
  ];
  for (const slip of slips) await assert.rejects(play(parseScript(slip), MANNERS.whole), slip);
});
