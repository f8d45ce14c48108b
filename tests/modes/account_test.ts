// Tests of lib/modes/account.ts: users by name and by number, with getent(1) and without it.

import assert from "node:assert/strict";
import { findAccount, parsePasswd } from "../../lib/modes/account.ts";
import { IoError } from "../../lib/ports/io_error.ts";
import { bytesOf } from "../../lib/text/octets.ts";
import { FakeTalkingChild } from "../fakes/processes.ts";
import { FakeRuntime } from "../fakes/runtime.ts";
import { settled } from "../fakes/settled.ts";

const PASSWD = `root:x:0:0:root:/root:/bin/bash
# a comment
+::::::
broken
postprox:x:998:997::/nonexistent:/usr/sbin/nologin
998:x:1234:1234::/:/bin/sh
`;
const POSTPROX = { name: "postprox", uid: 998, gid: 997 };

Deno.test("parsePasswd finds users by name, and by number if no name is that number", () => {
  const rows = [
    ["postprox", POSTPROX],
    ["root", { name: "root", uid: 0, gid: 0 }],
    ["0", { name: "root", uid: 0, gid: 0 }],
    ["998", { name: "998", uid: 1234, gid: 1234 }],
    ["1234", { name: "998", uid: 1234, gid: 1234 }],
    ["00", undefined],
    ["post", undefined],
    ["broken", undefined],
    ["x", undefined],
    ["", undefined],
  ] as const;
  for (const [name, account] of rows) assert.deepEqual(parsePasswd(PASSWD, name), account, name);
});

/** A look-up of "postprox", for which getent does what a test says. */
function lookUp(getent: (child: FakeTalkingChild) => void) {
  const runtime = new FakeRuntime();
  runtime.files.replace("/etc/passwd", bytesOf(PASSWD));
  runtime.processes.onStart = (child) => getent(child as FakeTalkingChild);
  return { runtime, found: findAccount(runtime, "postprox") };
}

Deno.test("findAccount takes the word of getent", async () => {
  const { runtime, found } = lookUp((child) => {
    child.answer("postprox:*:70998:70997:from a");
    child.answer(" directory:/:/bin/sh\n");
    child.closeStdout();
    child.exit(0);
  });
  assert.deepEqual(await found, { name: "postprox", uid: 70998, gid: 70997 });
  assert.deepEqual(runtime.processes.children[0]!.words, ["getent", "passwd", "postprox"]);
  const unknown = lookUp((child) => {
    child.closeStdout();
    child.exit(2);
  });
  assert.equal(await unknown.found, undefined);
});

Deno.test("findAccount reads /etc/passwd if there is no getent", async () => {
  for (const status of [126, 127]) {
    const { found } = lookUp((child) => {
      child.closeStdout();
      child.exit(status);
    });
    assert.deepEqual(await found, POSTPROX);
  }
  const runtime = new FakeRuntime();
  runtime.files.replace("/etc/passwd", bytesOf(PASSWD));
  runtime.processes.refusal = "missing";
  assert.deepEqual(await findAccount(runtime, "postprox"), POSTPROX);
});

Deno.test("findAccount says that it cannot know if getent fails or does not answer", async () => {
  const failed = lookUp((child) => {
    child.closeStdout();
    child.exit(1);
  });
  await assert.rejects(
    failed.found,
    (error) => error instanceof IoError && /getent: it ended with 1/.test(error.message),
  );
  const silent = lookUp((child) => {
    const kill = child.signalGroup.bind(child);
    child.signalGroup = (signal) => {
      kill(signal);
      child.closeStdout();
    };
  });
  silent.found.catch(() => {});
  await settled();
  await silent.runtime.clock.advance(10_000);
  await assert.rejects(silent.found, (error) => error instanceof IoError && error.kind === "timeout");
  assert.deepEqual(silent.runtime.processes.children[0]!.signals, ["SIGKILL"]);
});
