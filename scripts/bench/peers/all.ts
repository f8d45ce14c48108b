// The peers that relay SMTP, and the proof that each does.

import { strict as assert } from "node:assert";
import { connectTo } from "../../../tests/rig/client.ts";
import { Server } from "../../../tests/rig/server.ts";
import type { Peer, Way } from "../way.ts";
import { amavis } from "./amavis.ts";
import { clamsmtp } from "./clamsmtp.ts";
import { proxsmtp, proxsmtpWithFile, proxsmtpWithPipe } from "./proxsmtp.ts";
import { socat } from "./socat.ts";

export const PEERS: readonly Peer[] = [socat, proxsmtp, proxsmtpWithFile, proxsmtpWithPipe, clamsmtp, amavis];

/**
 * Starts the peer after a proof: once it has relayed a message to a server of the test's own, whole. Throws if the
 * message did not come. Undefined if the peer is not installed.
 */
export async function startProven(peer: Peer, directory: string, downstream: number): Promise<Way | undefined> {
  const server = await Server.start();
  try {
    const { address } = server;
    const way = await peer.start(directory, "port" in address ? address.port : 0);
    if (!way) return undefined;
    try {
      await prove(way, server);
    } finally {
      await way.stop();
    }
  } finally {
    await server.stop();
  }
  return await peer.start(directory, downstream);
}

async function prove({ name, port }: Way, server: Server): Promise<void> {
  const marker = `X-Marker: ${crypto.randomUUID()}`;
  const body = "the text\r\n.. a dot first\r\nthe last line\r\n";
  const text = `From: a@a.example\r\nTo: b@b.example\r\n${marker}\r\n\r\n${body}`;
  const client = await connectTo({ port });
  await client.expect(220);
  await client.expect(250, "EHLO bench.example");
  const { end } = await client.send({ from: "a@a.example", to: ["b@b.example"], text });
  client.close();
  assert.equal(end.code, 250, `${name} refused a message: ${end.text}`);
  const came = server.messages[0]?.text ?? "";
  assert.ok(came.includes(marker), `${name} has not relayed the message`);
  assert.ok(came.endsWith(`\r\n\r\n${body}`), `${name} has changed the message`);
}
