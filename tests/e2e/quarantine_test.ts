// The quarantine behind a real Postfix: a message that the filter refuses is kept under discard, and a release gives it to the
// after-filter server, which delivers it as it would have been.
//
// Needs Postfix and root.

import assert from "node:assert/strict";
import { freePorts } from "../rig/ports.ts";
import { until } from "../rig/wait.ts";
import { install, type Installed, startListening, stop } from "./installed.ts";
import { createPostfix, groupOfUser, makeDirectory, type Postfix, USER, userId } from "./postfix.ts";
import { afterFilter, beforeFilter, DOMAIN, REFUSED_BY_CLEANUP, spawnedProxy } from "./postfix_config.ts";
import { alice, header, newTag, sender } from "./postfix_mail.ts";
import { cleanUp } from "./postfix_bed.ts";
import { runCommand } from "./start.ts";
import { sendMail } from "./stranger.ts";

const BODY = "A line.\r\n..two dots\r\n.\r\nn\xc3\xa9 8-bit\r\n";

Deno.test("a quarantine behind a real Postfix, spawn and listen: kept, listed, released, delivered", async (test) => {
  const postfix = createPostfix();
  let listening: number | undefined;
  try {
    const installed = await install(postfix);
    const [spawnPort = 0, listenPort = 0, afterPort = 0, ...befores] = await freePorts(5);
    const kept = `${postfix.dir}/quarantine`;
    makeDirectory(kept, { uid: userId(USER), gid: groupOfUser(USER), mode: 0o700 });
    const words = (mode: string) => [
      ...["-d", installed.spool, `--log=${installed.logs}/${mode}.log`, "-v", "-c", installed.filter],
      ...[`--quarantine=${kept}`, "--action=command=quarantine", `127.0.0.1:${afterPort}`],
    ];
    const setups = [["spawn", spawnPort], ["listen", listenPort]].map(([mode, proxy]) => ({
      mode: String(mode),
      proxy: `127.0.0.1:${proxy}`,
      speedAdjust: false,
      port: befores.pop()!,
    }));
    await postfix.start([
      ...setups.map(beforeFilter),
      spawnedProxy(spawnPort, USER, [installed.program, ...words("spawn")]),
      afterFilter(afterPort),
    ]);
    listening = await startListening(installed, words("listen"), listenPort);
    for (const { mode, port } of setups) {
      await test.step(mode, () => playOne({ postfix, installed, kept }, { port, afterPort }));
    }
  } finally {
    if (listening !== undefined) await stop(listening);
    await cleanUp(postfix);
  }
});

interface Places {
  readonly postfix: Postfix;
  readonly installed: Installed;
  readonly kept: string;
}

async function playOne(places: Places, { port, afterPort }: { port: number; afterPort: number }): Promise<void> {
  const { postfix } = places;
  const [tag, other] = [newTag(), newTag()];
  const text = header("refuse", tag) + BODY;
  const to = [alice(tag), `bob+${tag}@${DOMAIN}`];
  const { end } = await sendMail(port, { from: sender(tag), to, text });
  assert.match(end.text, /^250 2\.0\.0 Ok: discarded/);
  const [copy, ...more] = await list(places);
  assert.deepEqual(more, []);
  const { id, ...facts } = copy!;
  assert.deepEqual([facts["sender"], facts["recipients"], facts["client"]], [sender(tag), to, "127.0.0.2"]);
  assert.deepEqual(postfix.delivered(tag), []);

  const released = await quarantine(places, "release", String(id), `127.0.0.1:${afterPort}`);
  assert.match(released.stdout, /^\S+ released: 250 2\.0\.0 Ok: queued as \w+\n$/, released.stderr);
  assert.equal(released.status, 0);
  await until(() => postfix.delivered(tag).length === 2, () => `two deliveries of ${tag}`);
  for (const delivery of postfix.delivered(tag)) assert.equal(delivery.text, text);
  assert.deepEqual(await list(places), []);

  // Recipients and messages that the server refuses stay.
  const late = header("refuse", other).replace("\r\n\r\n", "\r\nX-After: refuse\r\n\r\n") + BODY;
  await sendMail(port, { from: sender(other), to: [alice(other)], text: late });
  const [second] = await list(places);
  const refused = await quarantine(places, "release", String(second!["id"]), `127.0.0.1:${afterPort}`);
  assert.equal(refused.status, 1);
  assert.ok(refused.stderr.includes(`refused the message: ${REFUSED_BY_CLEANUP}`), refused.stderr);
  assert.deepEqual(await list(places), [second]);
  assert.equal((await quarantine(places, "delete", String(second!["id"]))).status, 0);
  assert.deepEqual(await list(places), []);
}

async function list(places: Places): Promise<Record<string, unknown>[]> {
  const { stdout, stderr, status } = await quarantine(places, "list", "--json");
  assert.equal(status, 0, stderr);
  return stdout.split("\n").filter(Boolean).map((line) => JSON.parse(line));
}

// As the administrator would, as the user that keeps the messages.
function quarantine({ installed, kept }: Places, ...words: string[]): ReturnType<typeof runCommand> {
  const command = [installed.program, "quarantine", ...words, `--quarantine=${kept}`];
  return runCommand(["runuser", "-u", USER, "--", ...command], { cwd: "/" });
}
