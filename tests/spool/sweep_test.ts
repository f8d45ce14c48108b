// Tests of lib/spool/sweep.ts and lib/spool/mark.ts: files of killed processes are removed, and files that somebody may
// need stay.
//
// Each process of a test has its own disk, which shares its files with the others. It stands for a host, or for a
// container of one host.

import assert from "node:assert/strict";
import { IoError } from "../../lib/ports/io_error.ts";
import type { File } from "../../lib/ports/runtime.ts";
import { markedName, markOf, newSpoolName, type SpoolEnding, spoolPath } from "../../lib/spool/directory.ts";
import { mark, Marks } from "../../lib/spool/mark.ts";
import { newMarks, newSpool } from "../fakes/spool.ts";
import { sweepSpoolDirectory } from "../../lib/spool/sweep.ts";
import { bytesOf } from "../../lib/text/octets.ts";
import { FakeRuntime } from "../fakes/runtime.ts";

const DIRECTORY = "/tmp";
const DAY = 86_400_000;
const OTHER_BOOT = "00000000-0000-4000-8000-000000000002";

/** The files of a message, which are marked as in use where that can be. */
async function message(
  { files }: FakeRuntime,
  endings: readonly SpoolEnding[] = ["eml", "out"],
): Promise<{ paths: string[]; mark: File | undefined }> {
  const name = newSpoolName(1);
  const lock = spoolPath({ directory: DIRECTORY, name }, "lock");
  const held = await mark(files, DIRECTORY, lock);
  const paths = endings.map((ending) => spoolPath({ directory: DIRECTORY, name }, ending));
  for (const path of paths) files.replace(path, bytesOf("content"));
  return { paths: held ? [...paths, lock] : paths, mark: held };
}

function locksIn(files: FakeRuntime["files"]): string[] {
  return files.paths.filter((path) => path.endsWith(".lock"));
}

function booted(): FakeRuntime {
  const runtime = new FakeRuntime();
  runtime.files.boot();
  return runtime;
}

Deno.test("the sweep removes the files of a process that is gone, and keeps those of a living one", async () => {
  const runtime = booted();
  const living = await message(runtime);
  const dead = await message(runtime);
  // The kernel does that at the end of a process.
  dead.mark!.close();
  const { removed, failures } = await sweepSpoolDirectory(runtime, DIRECTORY);
  assert.deepEqual([...removed].sort(), dead.paths.sort());
  // Of what is left over, the mark is removed last.
  assert.match(removed.at(-1)!, /\.lock$/);
  assert.deepEqual(failures, []);
  assert.deepEqual(runtime.files.paths, living.paths.sort());
  living.mark!.close();
  assert.equal(runtime.files.handles, 0);
});

Deno.test("the sweep also removes the files that a process made just before its end", async () => {
  const runtime = booted();
  const { files } = runtime;
  const dead = await message(runtime, []);
  const late = dead.paths[0]!.replace(/lock$/, "eml");
  const list = files.list.bind(files);
  files.list = async (path) => {
    const names = await list(path);
    files.list = list;
    files.replace(late, bytesOf("content"));
    dead.mark!.close();
    return names;
  };
  const { removed, failures } = await sweepSpoolDirectory(runtime, DIRECTORY);
  assert.deepEqual([removed, failures, files.paths], [[late, ...dead.paths], [], []]);
});

Deno.test("the sweep removes a probe whose process was killed, and keeps one of this moment", async () => {
  const runtime = booted();
  const [old, late] = [1, 2].map((pid) => `${DIRECTORY}/${newSpoolName(pid)}.probe`);
  runtime.files.replace(old!, bytesOf("\n"));
  await runtime.clock.advance(3000);
  runtime.files.replace(late!, bytesOf("\n"));
  const { removed, failures } = await sweepSpoolDirectory(runtime, DIRECTORY);
  assert.deepEqual([removed, failures, runtime.files.paths], [[old], [], [late]]);
});

Deno.test("the sweep keeps the files of a process whose mark was empty when it looked", async () => {
  const runtime = booted();
  const { files } = runtime;
  const name = newSpoolName(1);
  const [lock, content] = (["lock", "eml"] as const).map((ending) => spoolPath({ directory: DIRECTORY, name }, ending));
  files.replace(lock!, new Uint8Array());
  await runtime.clock.advance(3000);
  const list = files.list.bind(files);
  let looks = 0;
  files.list = async (path) => {
    // The process goes on between the two.
    if (++looks === 2) files.replace(content!, bytesOf("content"));
    return await list(path);
  };
  const { removed } = await sweepSpoolDirectory(runtime, DIRECTORY);
  assert.deepEqual([looks, removed, files.paths], [2, [], [content, lock]]);
});

Deno.test("the sweep keeps for eight days files that may still be in use", async () => {
  const rows: readonly [why: string, prepare: (runtime: FakeRuntime) => Promise<string[]>][] = [
    ["no mark: version 1.0.0, or a process that could make none", async ({ files }) => {
      const path = `${DIRECTORY}/${newSpoolName(99)}.eml`;
      files.replace(path, bytesOf("x"));
      return [path];
    }],
    ["the mark of another host", async (runtime) => {
      runtime.files.boot(OTHER_BOOT);
      const { paths, mark } = await message(runtime);
      mark!.close();
      runtime.files.boot();
      return paths;
    }],
    ["a mark without its words, which came to no end", async (runtime) => {
      const { paths, mark } = await message(runtime);
      mark!.close();
      runtime.files.overwrite(paths.at(-1)!, bytesOf("boot 0000"));
      return paths;
    }],
    ["a mark that another user has put there", async (runtime) => {
      const { paths, mark } = await message(runtime);
      mark!.close();
      runtime.files.giveAway(paths.at(-1)!);
      return paths;
    }],
    ["a mark that is no file", async (runtime) => {
      const { paths, mark } = await message(runtime);
      mark!.close();
      runtime.files.replace(paths.at(-1)!, new Uint8Array(0), "other");
      return paths;
    }],
    ["a mark, where the system has no locks now", async (runtime) => {
      const { paths, mark } = await message(runtime);
      mark!.close();
      runtime.files.hasLocks = false;
      return paths;
    }],
    ["a mark, where the id of the boot cannot be read now", async (runtime) => {
      const { paths, mark } = await message(runtime);
      mark!.close();
      runtime.files.unlink("/proc/sys/kernel/random/boot_id");
      return paths;
    }],
  ];
  for (const [why, prepare] of rows) {
    const runtime = booted();
    const paths = await prepare(runtime);
    // The times that a filter sets do not count. The time of that act counts.
    await runtime.clock.advance(8 * DAY);
    const before = await sweepSpoolDirectory(runtime, DIRECTORY);
    assert.deepEqual(before, { removed: [], failures: [] }, why);
    assert.deepEqual(runtime.files.paths, [...paths].sort(), why);
    await runtime.clock.advance(1);
    const files = paths.filter((path) => !path.endsWith(".lock"));
    const { removed } = await sweepSpoolDirectory(runtime, DIRECTORY);
    assert.deepEqual(removed.filter((path) => !path.endsWith(".lock")), files, why);
    assert.equal(runtime.files.handles, 0, why);
  }
});

Deno.test("the sweep removes an empty mark of a killed process, but no file beside one", async () => {
  const runtime = booted();
  const [alone, other] = [newSpoolName(1), newSpoolName(2)];
  for (const name of [alone, other]) runtime.files.replace(`${DIRECTORY}/${name}.lock`, new Uint8Array(0));
  runtime.files.replace(`${DIRECTORY}/${other}.eml`, bytesOf("x"));
  // A living process may be making it.
  await runtime.clock.advance(1000);
  assert.deepEqual((await sweepSpoolDirectory(runtime, DIRECTORY)).removed, []);
  await runtime.clock.advance(2000);
  const { removed } = await sweepSpoolDirectory(runtime, DIRECTORY);
  assert.deepEqual(removed, [`${DIRECTORY}/${alone}.lock`]);
});

Deno.test("the sweep looks only at files of the spool", async () => {
  const runtime = booted();
  const others = ["/tmp/somebody_elses", `/tmp/${newSpoolName(1)}.txt`, `/tmp/x${newSpoolName(1)}.eml`];
  for (const path of others) runtime.files.replace(path, bytesOf("x"));
  await runtime.clock.advance(100 * DAY);
  assert.deepEqual(await sweepSpoolDirectory(runtime, DIRECTORY), { removed: [], failures: [] });
  assert.deepEqual(runtime.files.paths, others.sort());
});

Deno.test("the sweep removes nothing by age if it cannot know the time of the directory", async () => {
  const runtime = booted();
  const path = `${DIRECTORY}/${newSpoolName(99)}.eml`;
  runtime.files.replace(path, bytesOf("x"));
  await runtime.clock.advance(9 * DAY);
  runtime.files.fail("create", "denied");
  const { removed, failures } = await sweepSpoolDirectory(runtime, DIRECTORY);
  assert.deepEqual(removed, []);
  assert.equal(failures.length, 1);
});

Deno.test("the sweep reports its failures and goes on; a file that is gone meanwhile is no failure", async () => {
  for (const kind of ["denied", "other", "missing"] as const) {
    const runtime = booted();
    const { files } = runtime;
    const [theirs, ours] = [await message(runtime, ["eml"]), await message(runtime, ["eml"])];
    for (const { mark } of [theirs, ours]) mark!.close();
    files.fail("remove", kind, { ending: theirs.paths[0]! });
    const { removed, failures } = await sweepSpoolDirectory(runtime, DIRECTORY);
    assert.ok(ours.paths.every((path) => removed.includes(path)));
    assert.equal(failures.length, kind === "missing" ? 0 : 1);
    files.mend();
    files.fail("list", "denied");
    assert.equal((await sweepSpoolDirectory(runtime, DIRECTORY)).failures.length, 1);
  }
});

Deno.test("a spool whose files have names makes a mark before the first file, and removes it last", async () => {
  const runtime = booted();
  const { files } = runtime;
  const name = newSpoolName(1);
  const { spool, files: spoolFiles } = newSpool(files, { name });
  files.operations.length = 0;
  const email = await spool.file();
  const outfile = await spoolFiles.create("out");
  outfile.file.close();
  const made = files.operations.filter((one) => one.startsWith("create "));
  const [mark] = locksIn(files);
  const base = `${DIRECTORY}/${markedName(name, markOf(mark!.slice(DIRECTORY.length + 1)))}`;
  assert.deepEqual([email.path, outfile.path], [`${base}.eml`, `${base}.out`]);
  assert.deepEqual(made, [mark, email.path, outfile.path].map((path) => `create ${path}`));
  // A program may replace, move and remove what it was given.
  files.replace(email.path, bytesOf("edited"));
  files.unlink(outfile.path);
  assert.deepEqual((await sweepSpoolDirectory(runtime, DIRECTORY)).removed, []);
  await spool.remove();
  assert.deepEqual(files.paths, []);
  assert.equal(files.handles, 0);
});

Deno.test("messages that are under way together share a mark, and the last one removes it", async () => {
  const runtime = booted();
  const { files } = runtime;
  const marks = newMarks(files);
  const spools = [1, 2, 3].map(() => newSpool(files, { marks, name: newSpoolName(1) }).spool);
  const [first, second, third] = spools;
  await Promise.all([first!.file(), second!.file()]);
  await first!.remove();
  await third!.file();
  const [mark, ...others] = locksIn(files);
  assert.deepEqual(others, []);
  const left = files.paths;
  assert.equal(left.length, 3);
  const base = mark!.slice(0, -".lock".length);
  assert.ok(left.every((path) => path.startsWith(base)));
  assert.deepEqual((await sweepSpoolDirectory(runtime, DIRECTORY)).removed, []);
  await second!.remove();
  assert.deepEqual(locksIn(files), [mark]);
  await third!.remove();
  assert.deepEqual(files.paths, []);
  assert.equal(files.handles, 0);
  const later = newSpool(files, { marks, name: newSpoolName(1) }).spool;
  await later.file();
  assert.notDeepEqual(locksIn(files), [mark]);
  // The process is killed.
  files.restart();
  const { removed, failures } = await sweepSpoolDirectory(runtime, DIRECTORY);
  assert.deepEqual([removed.length, failures, files.paths], [2, [], []]);
});

Deno.test("the sweep removes all messages of a killed process that share a mark", async () => {
  const runtime = booted();
  const { files } = runtime;
  const [dead, living] = [newMarks(files), newMarks(files)];
  for (const marks of [dead, dead, dead]) await newSpool(files, { marks, name: newSpoolName(1) }).spool.file();
  const left = files.paths;
  files.restart();
  await newSpool(files, { marks: living, name: newSpoolName(1) }).spool.file();
  const { removed, failures } = await sweepSpoolDirectory(runtime, DIRECTORY);
  assert.deepEqual([[...removed].sort(), failures], [left, []]);
  assert.match(removed.at(-1)!, /\.lock$/);
  assert.equal(files.paths.length, 2);
});

Deno.test("a message takes a new mark if the last one is an hour old, in another directory, or could not be made", async () => {
  const runtime = booted();
  const { files, clock } = runtime;
  files.mkdir("/spool");
  const marks = new Marks(runtime);
  const held = [await marks.take(DIRECTORY)];
  await clock.advance(3_600_000 - 1);
  held.push(await marks.take(DIRECTORY));
  assert.equal(locksIn(files).length, 1);
  await clock.advance(1);
  held.push(await marks.take(DIRECTORY));
  assert.equal(locksIn(files).length, 2);
  held.push(await marks.take("/spool"));
  assert.equal(locksIn(files).length, 3);
  files.fail("create", "no-space");
  assert.equal(await marks.take(DIRECTORY), undefined);
  files.mend();
  held.push(await marks.take(DIRECTORY));
  assert.equal(locksIn(files).length, 4);
  for (const mark of held) await mark!.release();
  assert.deepEqual(files.paths, []);
  assert.equal(files.handles, 0);
});

Deno.test("a mark that cannot be removed has no lock any more, and no other message uses it", async () => {
  const runtime = booted();
  const { files } = runtime;
  const marks = newMarks(files);
  files.fail("remove", "denied", { ending: ".lock" });
  await assert.rejects((await marks.take(DIRECTORY))!.release(), IoError);
  assert.equal(files.handles, 0);
  files.mend();
  const next = await marks.take(DIRECTORY);
  assert.equal((await sweepSpoolDirectory(runtime, DIRECTORY)).removed.length, 1);
  await next!.release();
  assert.deepEqual(files.paths, []);
});

Deno.test("a spool does without a mark if there can be none, and leaves nothing", async () => {
  for (
    const prepare of [
      ({ files }: FakeRuntime) => files.hasLocks = false,
      ({ files }: FakeRuntime) => files.unlink("/proc/sys/kernel/random/boot_id"),
      ({ files }: FakeRuntime) => files.fail("create", "no-space", { ending: ".lock" }),
    ]
  ) {
    const runtime = booted();
    prepare(runtime);
    const name = newSpoolName(1);
    const { spool } = newSpool(runtime.files, { name });
    await spool.file();
    assert.deepEqual(runtime.files.paths, [`${DIRECTORY}/${name}.eml`]);
    await spool.remove();
    assert.deepEqual(runtime.files.paths, []);
    assert.equal(runtime.files.handles, 0);
  }
});

Deno.test("a spool whose files have no names needs no mark", async () => {
  const runtime = booted();
  const { spool } = newSpool(runtime.files, { named: false });
  await spool.file();
  assert.ok(!runtime.files.operations.some((one) => one.endsWith(".lock")));
  await spool.remove();
});
