// Tests of lib/quarantine/store.ts, contents.ts and quarantine.ts: a message is kept whole or not at all, at whatever
// moment an operation fails, the process is killed or the power fails.

import assert from "node:assert/strict";
import { readContents, readRecord } from "../../lib/quarantine/contents.ts";
import { checkQuarantineDirectory, removeCopy, replaceRecord } from "../../lib/quarantine/store.ts";
import { IoError } from "../../lib/ports/io_error.ts";
import { type DiskOperation, type FakeDisk, Killed } from "../fakes/disk.ts";
import { Quarantine } from "../../lib/quarantine/quarantine.ts";
import { settled } from "../fakes/settled.ts";
import { CONTENT, contentOf, DIRECTORY, entries, LIMIT, message, newDisk, WHY } from "./kept.ts";

const KEEPING: readonly DiskOperation[] = ["create", "append", "sync", "syncDirectory", "rename"];

/** So many operations does it take, and more. */
const STEPS = 40;

Deno.test("a message is kept with all that is known of it", async () => {
  const { disk, quarantine } = newDisk();
  const id = await quarantine.keep(message(), WHY, LIMIT);
  assert.deepEqual(disk.paths, [`${DIRECTORY}/${id}.eml`, `${DIRECTORY}/${id}.json`]);
  assert.equal(contentOf(disk, id), CONTENT);
  const record = await readRecord(disk, DIRECTORY, id);
  assert.deepEqual({ ...record, time: "" }, {
    id,
    time: "",
    session: "4f2a",
    outcome: "reject",
    check: "clamd",
    reason: "clamd found X",
    reply: "550 5.7.1 virus found: X",
    client: "192.0.2.7",
    client_name: "mx.example.org",
    helo: "mx",
    sender: "a@example.org",
    recipients: ["b@example.com", "c@example.com"],
    size: CONTENT.length,
  });
  assert.ok(Math.abs(Date.now() - Date.parse(record!.time)) < 60_000);
  assert.equal(disk.handles, 0);
});

Deno.test("the record comes last, when both files and their names are on disk", async () => {
  const { disk, quarantine } = newDisk();
  await quarantine.keep(message(), WHY, LIMIT);
  const deeds = disk.operations.map((deed) => deed.replace(/ .*(?=\.)/, " ").replace(DIRECTORY, ""));
  const at = (deed: string) => deeds.indexOf(deed);
  assert.ok(at("sync .eml") > deeds.lastIndexOf("append .eml"));
  assert.ok(at("sync .new") > deeds.lastIndexOf("append .new"));
  const rename = at("rename .json");
  const [first, last] = [deeds.indexOf("syncDirectory "), deeds.lastIndexOf("syncDirectory ")];
  assert.ok(at("sync .eml") < first && at("sync .new") < first && first < rename && rename < last, String(deeds));
});

Deno.test("the null sender, one that is not known, and a client that is not", async () => {
  const { disk, quarantine } = newDisk();
  for (const [sender, kept] of [["", "<>"], [undefined, null]] as const) {
    const id = await quarantine.keep(message({ envelope: { sender, recipients: ["b@example.com"] } }), WHY, LIMIT);
    assert.equal((await readRecord(disk, DIRECTORY, id))?.sender, kept);
  }
  const id = await quarantine.keep(message({ client: { facts: {}, address: undefined } }), WHY, LIMIT);
  const { client, client_name, helo } = (await readRecord(disk, DIRECTORY, id))!;
  assert.deepEqual([client, client_name, helo], [null, null, null]);
});

Deno.test("whatever operation fails, keep throws and nothing is left", async () => {
  for (const operation of KEEPING) {
    for (const kind of ["no-space", "denied", "other"] as const) {
      for (let after = 0;; after++) {
        const { disk, quarantine } = newDisk();
        disk.fail(operation, kind, { after });
        const keeping = quarantine.keep(message(), WHY, LIMIT);
        const failure = await keeping.then(() => undefined, (error) => error);
        if (!failure) {
          assert.ok(after > 0, `${operation} is never done`);
          break;
        }
        assert.ok(failure instanceof IoError && failure.kind === kind, String(failure));
        assert.deepEqual(disk.paths, [], `${operation} failed after ${after}`);
        assert.equal(disk.handles, 0);
      }
    }
  }
});

Deno.test("a reader of the message that fails leaves nothing", async () => {
  const { disk, quarantine } = newDisk();
  const chunks = async function* () {
    yield new Uint8Array(10);
    throw new IoError("other", "cannot read the spool");
  };
  await assert.rejects(quarantine.keep(message({ chunks }), WHY, LIMIT), /cannot read the spool/);
  assert.deepEqual(disk.paths, []);
  assert.equal(disk.handles, 0);
});

/** Kills the process, or cuts the power, at each step of `deed`; `holds` looks at what is left then. */
async function atEachStep(
  begin: (disk: FakeDisk) => Promise<unknown>,
  deed: (disk: FakeDisk, begun: string) => Promise<unknown>,
  holds: (disk: FakeDisk, begun: string, isDone: boolean) => Promise<void>,
): Promise<void> {
  for (const end of ["kill", "lost", "kept"] as const) {
    let count = 0;
    for (let isDone = false; !isDone; count++) {
      assert.ok(count < STEPS);
      const { disk } = newDisk();
      const begun = String(await begin(disk));
      disk.killAfter(count);
      isDone = await deed(disk, begun).then(() => true, (error) => {
        if (error instanceof Killed) return false;
        throw error;
      });
      if (end === "kill") disk.restart();
      else disk.cutPower(end);
      await holds(disk, begun, isDone);
    }
    assert.ok(count > 3, `${count} steps`);
  }
}

function keepOn(disk: FakeDisk, content = CONTENT): Promise<string> {
  const { clock } = newDisk();
  return new Quarantine({ clock, files: disk }, DIRECTORY).keep(message({}, content), WHY, LIMIT);
}

Deno.test("killed or without power at each step of keep: kept whole, or not at all", async () => {
  let kept: string | undefined;
  await atEachStep(
    async () => kept = undefined,
    async (disk) => kept = await keepOn(disk),
    async (disk, _, isDone) => {
      const all = await entries(disk);
      for (const entry of all) {
        assert.ok("record" in entry, `damaged: ${JSON.stringify(entry)}`);
        assert.equal(contentOf(disk, entry.id), CONTENT);
      }
      // A message that was reported as kept is there.
      if (isDone) assert.deepEqual(all.map(({ id }) => id), [kept]);
    },
  );
});

Deno.test("killed or without power at each step of a new record: the old one or the new one is there, and whole", async () => {
  const others = ["d@example.com"];
  await atEachStep(
    (disk) => keepOn(disk),
    async (disk, id) => {
      const record = (await readRecord(disk, DIRECTORY, id))!;
      await replaceRecord(disk, DIRECTORY, { ...record, recipients: others });
    },
    async (disk, id, isDone) => {
      const [entry, ...more] = await entries(disk);
      assert.ok(entry && "record" in entry && entry.id === id && more.length === 0);
      const { recipients } = entry.record;
      assert.ok(recipients.length === 2 || recipients[0] === others[0]);
      if (isDone) assert.deepEqual(recipients, others);
      // Parts that are left over disturb nobody.
      await replaceRecord(disk, DIRECTORY, { ...entry.record, recipients: others });
      assert.deepEqual((await readRecord(disk, DIRECTORY, id))?.recipients, others);
    },
  );
});

Deno.test("killed or without power at each step of a removal: kept whole, or not kept", async () => {
  await atEachStep(
    (disk) => keepOn(disk),
    (disk, id) => removeCopy(disk, DIRECTORY, id),
    async (disk, id, isDone) => {
      for (const entry of await entries(disk)) {
        assert.ok("record" in entry, `damaged: ${JSON.stringify(entry)}`);
        assert.equal(contentOf(disk, id), CONTENT);
        assert.ok(!isDone);
      }
    },
  );
});

Deno.test("a part is no message that is kept", async () => {
  const { disk, quarantine } = newDisk();
  disk.killAfter(6);
  await assert.rejects(quarantine.keep(message(), WHY, LIMIT), Killed);
  disk.restart();
  const { kept, parts, foreign } = await readContents(disk, DIRECTORY);
  assert.deepEqual([kept.length, parts.length, foreign.length], [0, 1, 0]);
});

Deno.test("no time is left: keep throws then, and the copy is removed when the disk wakes up", async () => {
  const { clock, disk, quarantine } = newDisk();
  disk.stallAppends();
  const keeping = quarantine.keep(message(), WHY, { limit: 500 });
  keeping.catch(() => {});
  await clock.advance(499);
  assert.equal(disk.paths.length, 1);
  await clock.advance(1);
  await assert.rejects(keeping, (error: Error) => error instanceof IoError && error.kind === "timeout");
  disk.takeAppends();
  await settled();
  assert.deepEqual(disk.paths, []);
  assert.equal(disk.handles, 0);
  assert.equal(clock.pending, 0);
});

Deno.test("a limit that is over before the beginning keeps nothing", async () => {
  const { clock, disk, quarantine } = newDisk();
  disk.stallAppends();
  const keeping = quarantine.keep(message(), WHY, { limit: -5 });
  keeping.catch(() => {});
  await clock.advance(0);
  await assert.rejects(keeping, /no time was left/);
  disk.takeAppends();
  await settled();
  assert.deepEqual(disk.paths, []);
});

Deno.test("checkQuarantineDirectory says why nothing can be kept, and leaves nothing", async () => {
  const { disk } = newDisk();
  for (const mayWait of [false, true]) {
    const check = (directory = DIRECTORY) => checkQuarantineDirectory(disk, directory, { mayWait });
    await check();
    assert.deepEqual(disk.paths, []);
    // Where each message is a process, no start waits for the disk.
    assert.equal(disk.operations.includes(`syncDirectory ${DIRECTORY}`), mayWait);
    await assert.rejects(check("/none"), /no such file/);
    disk.replace("/file", new Uint8Array(1));
    await assert.rejects(check("/file"), /is not a directory/);
    disk.unlink("/file");
    for (const operation of ["create", "remove", ...mayWait ? ["syncDirectory"] as const : []] as const) {
      disk.fail(operation, "denied");
      await assert.rejects(check(), /denied/, operation);
      disk.mend();
      for (const path of disk.paths) {
        assert.equal(operation, "remove");
        disk.unlink(path);
      }
    }
  }
});
