// Writes a file of OCTETS, reads it, and removes it, as often as each line on standard input says (counts.ts).
//
//     write.ts DIRECTORY OCTETS

import * as fs from "node:fs";
import process from "node:process";
import { onCounts } from "./counts.ts";

const [directory = "", octets = ""] = process.argv.slice(2);
const path = `${directory}/bare-file`;
const size = Number(octets);
const room = new Uint8Array(65_536);

onCounts((count) => {
  for (let left = count; left > 0; left--) writeAndRead();
});

function writeAndRead(): void {
  const file = fs.openSync(path, "w+");
  for (let at = 0; at < size;) at += fs.writeSync(file, room, 0, Math.min(room.length, size - at), at);
  for (let at = 0; at < size;) at += fs.readSync(file, room, 0, room.length, at);
  fs.closeSync(file);
  fs.unlinkSync(path);
}
