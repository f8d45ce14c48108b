// Tests of the commands that print and do not serve, through lib/app.ts: what they print, and where.

import assert from "node:assert/strict";
import { run } from "../../lib/app.ts";
import { FakeRuntime } from "../fakes/runtime.ts";

Deno.test("run prints the lines for Postfix on standard output, with the program's own words", async () => {
  for (const args of [["--postfix-config"], ["--postfix-config", "listen", "-v", "mx:26"]]) {
    const runtime = new FakeRuntime();
    assert.equal(await run(runtime, args), 0);
    assert.match(runtime.out, /^smtpd_proxy_filter = 127\.0\.0\.1:10025$/m);
    assert.match(runtime.out, args.length === 1 ? /argv=\/usr\/sbin\/postprox / : /ExecStart=\/usr\/sbin\/postprox /);
    assert.equal(runtime.err, "");
    assert.deepEqual(runtime.network.connects, []);
    assert.deepEqual(runtime.files.paths, []);
  }
});

Deno.test("run prints notes on dangers and on missing files with the lines for Postfix", async () => {
  const rows: readonly [args: string[], says: RegExp | undefined][] = [
    [["-c", "/missing/filter -x"], /The filter cannot be run .*\/missing\/filter.* all mail passes unchecked\./],
    [["-c", "/missing/filter", "--clamd=127.0.0.1:3310"], /Until it can, all mail passes without it\./],
    [["-r", "-c", "/missing/filter"], /Until it can, each message is answered with 451\./],
    [["--extchk=/missing/x"], /The file of --extchk is missing .*\/missing\/x/],
    [["-c", '/missing/filter <"$EMAIL"'], /The filter cannot be run .*\/missing\/filter/],
    // A word that only the shell can read.
    [["-c", "exec /missing/filter"], undefined],
    [["-c", "/missing/$name"], undefined],
    [["-l", "0.0.0.0:10025"], /Other hosts can connect to 0\.0\.0\.0:10025\. Without a firewall this is an open relay/],
    [["-l", "127.0.0.1:10025"], undefined],
  ];
  for (const [args, says] of rows) {
    const runtime = new FakeRuntime();
    assert.equal(await run(runtime, ["--postfix-config", ...args]), 0);
    const comments = runtime.out.slice(0, runtime.out.indexOf("# ---- once")).replaceAll("\n# ", " ");
    if (says) assert.match(comments, says);
    else assert.doesNotMatch(comments, /on this machine|open relay/);
    assert.match(runtime.out, /^smtpd_proxy_filter = /m);
    assert.equal(runtime.err, "");
  }
});

Deno.test("run refuses options that Postfix's files cannot hold, with 64 and one line", async () => {
  const runtime = new FakeRuntime();
  assert.equal(await run(runtime, ["--postfix-config", "-d", "spool"]), 64);
  assert.match(runtime.err, /^postprox: option --postfix-config: [^\n]*relative path[^\n]*\n$/);
  assert.equal(runtime.out, "");
});

Deno.test("run prints nothing if standard output is a mail client", async () => {
  for (const option of ["--help", "--license", "--version", "--postfix-config"]) {
    const runtime = new FakeRuntime();
    runtime.isSpawned = true;
    assert.equal(await run(runtime, [option, "mx"]), 64);
    assert.equal(runtime.out, "421 4.3.5 Server configuration error\r\n");
    assert.match(runtime.network.datagramsSent[0]!.text, new RegExp(`${option} cannot be used`));
  }
});
