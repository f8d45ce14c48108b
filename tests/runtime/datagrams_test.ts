// Tests of lib/runtime/deno/runtime.ts: datagrams to a unix socket, which syslog needs. The adapter keeps its sending
// socket for the life of the program, so the leak sanitizer is off in this file alone.

import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { denoRuntime } from "../../lib/runtime/deno/runtime.ts";
import { IoError } from "../../lib/ports/io_error.ts";
import { bytesOf, textOf } from "../../lib/text/octets.ts";

Deno.test({
  name: "network.datagrams sends whole datagrams, and finds a daemon that was away",
  sanitizeResources: false,
  fn: async () => {
    const folder = mkdtempSync("/tmp/postprox-test-");
    const path = `${folder}/log`;
    try {
      const sender = await denoRuntime().network.datagrams(path);
      await assert.rejects(
        sender.send(bytesOf("lost")),
        (error) => error instanceof IoError && error.kind === "missing",
      );
      for (const text of ["first daemon", "second daemon"]) {
        const daemon = Deno.listenDatagram({ transport: "unixpacket", path });
        await sender.send(bytesOf(text));
        const [octets] = await daemon.receive();
        assert.equal(textOf(octets), text);
        daemon.close();
        rmSync(path);
      }
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  },
});
