// Tests of lib/spool/spool.ts: what was appended is what comes back, at every size around the limits, and nothing is
// left after `remove`.

import assert from "node:assert/strict";
import { IoError } from "../../lib/ports/io_error.ts";
import { concat } from "../../lib/text/octets.ts";
import { isFull, Spool } from "../../lib/spool/spool.ts";
import { fillSpool } from "../fakes/fill_spool.ts";
import { FakeRuntime } from "../fakes/runtime.ts";
import { settled } from "../fakes/settled.ts";

const K = 1024;
const NAME = "postprox-1-0";
const PATHS = { eml: `/tmp/${NAME}.eml`, out: `/tmp/${NAME}.out` };

function newSpool(named: boolean): { spool: Spool; runtime: FakeRuntime } {
  const runtime = new FakeRuntime();
  return { spool: new Spool(runtime.files, { directory: "/tmp", name: NAME, named }), runtime };
}

/** Octets of which no two windows are alike. */
function content(length: number): Uint8Array {
  return Uint8Array.from({ length }, (_, at) => (at ^ (at >> 8) ^ (at >> 16)) & 0xff);
}

async function read(source: { chunks(): AsyncIterable<Uint8Array> }): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of source.chunks()) chunks.push(chunk.slice());
  return concat(chunks);
}

function same(one: Uint8Array, other: Uint8Array): boolean {
  return one.length === other.length && one.every((octet, at) => octet === other[at]);
}

const SIZES = [0, 1, 4095, 4096, 4097, 128 * K, 208 * K, 208 * K + 1, 256 * K - 1, 256 * K, 256 * K + 1, 900_000];

Deno.test("Spool gives back what was appended, again and again, whatever the size and the pieces", async () => {
  for (const size of SIZES) {
    for (const step of [1000, 64 * K, 400 * K]) {
      for (const named of [false, true]) {
        const { spool, runtime } = newSpool(named);
        const octets = content(size);
        await fillSpool(spool, octets, step);
        assert.equal(spool.size, size);
        const name = `${size} in steps of ${step}, named ${named}`;
        if (named) assert.ok(same(runtime.files.octetsOf(await spool.path()), octets), name);
        assert.ok(same(await read(spool), octets), name);
        assert.ok(same(await read(spool), octets), `${name}, again`);
        assert.ok(await spool.isIntact(), name);
        await spool.remove();
        assert.deepEqual(runtime.files.paths, []);
        assert.equal(runtime.files.handles, 0, name);
      }
    }
  }
});

Deno.test("Spool makes no file for a small message that nobody needs as one", async () => {
  const { spool, runtime } = newSpool(false);
  await fillSpool(spool, content(128 * K), 1000);
  await read(spool);
  await spool.remove();
  assert.deepEqual(runtime.files.operations, []);
});

Deno.test("Spool keeps EMAIL and OUTFILE under the names that it was given", async () => {
  const { spool, runtime } = newSpool(true);
  await fillSpool(spool, content(10), 10);
  assert.equal(await spool.outfile(), PATHS.out);
  assert.equal(await spool.path(), PATHS.eml);
  assert.deepEqual(runtime.files.paths, [PATHS.eml, PATHS.out]);
  assert.equal(runtime.files.octetsOf(PATHS.out).length, 0);
  await spool.remove();
  assert.deepEqual(runtime.files.paths, []);
});

Deno.test("Spool does not touch a file that is there already under its name", async () => {
  for (const ending of ["eml", "out"] as const) {
    const { spool, runtime } = newSpool(true);
    runtime.files.replace(PATHS[ending], Uint8Array.of(7));
    await fillSpool(spool, content(10), 10);
    const making = ending === "eml" ? spool.path() : spool.outfile();
    await assert.rejects(making, (error) => error instanceof IoError && error.kind === "exists");
    await spool.remove();
    assert.deepEqual(runtime.files.octetsOf(PATHS[ending]), Uint8Array.of(7));
    assert.equal(runtime.files.handles, 0);
  }
});

Deno.test("Spool.space shows a full disk at a later call at the latest", async () => {
  const { spool, runtime } = newSpool(true);
  runtime.files.fail("append", "no-space");
  await assert.rejects(async () => {
    await fillSpool(spool, content(900 * K), 10_000);
  }, (error) => isFull(error));
  await spool.remove();
  assert.deepEqual(runtime.files.paths, []);
});

Deno.test("Spool.path shows a failure of what was written behind", async () => {
  const { spool, runtime } = newSpool(true);
  runtime.files.fail("append", "no-space");
  await fillSpool(spool, content(300 * K), 10_000);
  await assert.rejects(spool.path(), isFull);
  await spool.remove();
  assert.deepEqual(runtime.files.paths, []);
  assert.equal(runtime.files.handles, 0);
});

Deno.test("Spool.remove removes every file that it can, and can be called again", async () => {
  for (const ending of ["eml", "out"] as const) {
    const { spool, runtime } = newSpool(true);
    await fillSpool(spool, content(10), 10);
    await spool.outfile();
    await spool.path();
    runtime.files.fail("remove", "denied", { ending });
    await assert.rejects(spool.remove(), (error) => error instanceof IoError && error.kind === "denied");
    assert.deepEqual(runtime.files.paths, [PATHS[ending]], `when .${ending} cannot be removed`);
    assert.equal(runtime.files.handles, 0);
    runtime.files.mend();
    await spool.remove();
  }
});

Deno.test("Spool.path is the same file each time, as programs leave it, also behind a look at the message", async () => {
  for (const size of SIZES.slice(1)) {
    const { spool, runtime } = newSpool(true);
    await fillSpool(spool, content(size), 64 * K);
    assert.ok(same(await read(spool), content(size)));
    assert.equal(await spool.path(), PATHS.eml);
    assert.equal(await spool.takeChange(), false);
    assert.ok(same(runtime.files.octetsOf(PATHS.eml), content(size)), `${size}`);
    runtime.files.overwrite(PATHS.eml, content(10));
    assert.equal(await spool.path(), PATHS.eml);
    assert.ok(same(runtime.files.octetsOf(PATHS.eml), content(10)), `${size}`);
    await spool.remove();
  }
});

/** Sizes in memory, and beyond. */
const GIVEN_SIZES = [100, 256 * K, 256 * K + 1, 900 * K];

/** What a program may do to a file that it was given, `octets` being what it holds. */
type Deed = (files: FakeRuntime["files"], path: string, octets: Uint8Array) => void;

const CHANGES: Readonly<Record<string, Deed>> = {
  "appends to it": (files, path, octets) => files.overwrite(path, concat([octets, Uint8Array.of(7)])),
  "cuts it": (files, path, octets) => files.overwrite(path, octets.subarray(1)),
  "writes as much": (files, path, octets) => files.overwrite(path, new Uint8Array(octets.length)),
  "changes the last octet": (files, path, octets) =>
    files.overwrite(path, octets.map((o, at) => at + 1 < octets.length ? o : o ^ 1)),
  "renames another over it": (files, path) => files.replace(path, content(10)),
  "renames one as large over it": (files, path, octets) => files.replace(path, new Uint8Array(octets.length)),
};

const NO_CHANGES: Readonly<Record<string, Deed>> = {
  "nothing": () => {},
  "touches it": (files, path, octets) => files.overwrite(path, octets),
  "writes the same again": (files, path, octets) => {
    files.overwrite(path, new Uint8Array(0));
    files.overwrite(path, octets);
  },
  "renames a copy over it": (files, path, octets) => files.replace(path, octets),
};

Deno.test("Spool.isIntact sees each change of EMAIL at every size, however soon it comes, and nothing else", async () => {
  const rows: readonly (readonly [what: string, deed: Deed, isIntact: boolean])[] = [
    ...Object.entries(CHANGES).map(([what, deed]) => [what, deed, false] as const),
    ...Object.entries(NO_CHANGES).map(([what, deed]) => [what, deed, true] as const),
    ["empties it", (files, path) => files.overwrite(path, new Uint8Array(0)), false],
    ["makes it a directory", (files, path) => files.replace(path, new Uint8Array(0), "directory"), false],
    ["removes it", (files, path) => files.unlink(path), true],
  ];
  for (const size of GIVEN_SIZES) {
    for (const [what, deed, isIntact] of rows) {
      const { spool, runtime } = newSpool(true);
      await fillSpool(spool, content(size), 10_000);
      deed(runtime.files, await spool.path(), content(size));
      assert.equal(await spool.isIntact(), isIntact, `${what}, ${size} octets`);
      if (isIntact) assert.ok(same(await read(spool), content(size)), `${what}, ${size} octets`);
      await spool.remove();
      assert.equal(runtime.files.handles, 0);
    }
  }
});

Deno.test("Spool.isIntact sees what was written into a file that was moved elsewhere", async () => {
  for (const size of GIVEN_SIZES) {
    const { spool, runtime } = newSpool(true);
    await fillSpool(spool, content(size), 10_000);
    const path = await spool.path();
    runtime.files.overwrite(path, content(5));
    runtime.files.unlink(path);
    // What is in memory is safe from that.
    assert.equal(await spool.isIntact(), size <= 256 * K);
    await spool.remove();
  }
});

Deno.test("Spool.takeChange makes a program's change the message, for all that follows", async () => {
  for (const size of GIVEN_SIZES) {
    for (const [what, deed] of Object.entries(CHANGES)) {
      const { spool, runtime } = newSpool(true);
      await fillSpool(spool, content(size), 64 * K);
      const path = await spool.path();
      deed(runtime.files, path, content(size));
      const octets = runtime.files.octetsOf(path);
      const name = `${what}, ${size} octets`;
      assert.equal(await spool.takeChange(), true, name);
      assert.ok(same(await read(spool), octets), name);
      assert.equal(spool.size, octets.length, name);
      assert.equal(spool.lineEnds, "lf-or-crlf");
      // The next program has that file, and may not change it.
      assert.equal(await spool.path(), path);
      assert.equal(await spool.isIntact(), true, name);
      runtime.files.overwrite(path, octets);
      assert.equal(await spool.isIntact(), true, name);
      assert.equal(await spool.takeChange(), false, name);
      runtime.files.overwrite(path, octets.map((octet) => octet ^ 1));
      assert.equal(await spool.isIntact(), false, name);
      await spool.remove();
      assert.equal(runtime.files.handles, 0);
      assert.deepEqual(runtime.files.paths, []);
    }
  }
});

Deno.test("Spool.takeChange takes nothing that is as it was, and refuses what is no message", async () => {
  for (const size of GIVEN_SIZES) {
    for (const [what, deed] of Object.entries(NO_CHANGES)) {
      const { spool, runtime } = newSpool(true);
      await fillSpool(spool, content(size), 64 * K);
      deed(runtime.files, await spool.path(), content(size));
      assert.equal(await spool.takeChange(), false, `${what}, ${size} octets`);
      assert.equal(spool.lineEnds, "lf");
      await spool.remove();
    }
    const { spool, runtime } = newSpool(true);
    await fillSpool(spool, content(size), 64 * K);
    await spool.path();
    runtime.files.replace(PATHS.eml, new Uint8Array(0));
    await assert.rejects(spool.takeChange(), /empty/);
    runtime.files.replace(PATHS.eml, content(10), "other");
    await assert.rejects(spool.takeChange(), /no regular file/);
    runtime.files.unlink(PATHS.eml);
    await assert.rejects(spool.takeChange(), (error) => error instanceof IoError && error.kind === "missing");
    await spool.remove();
    assert.equal(runtime.files.handles, 0);
  }
});

Deno.test("Spool.copy is a file that a program may change, and the message stays what it is", async () => {
  const copied = "/tmp/postprox-1-0.edit";
  for (const size of GIVEN_SIZES) {
    for (const isChanged of [false, true]) {
      for (const [what, deed] of Object.entries({ ...NO_CHANGES, ...CHANGES })) {
        const { spool, runtime } = newSpool(true);
        await fillSpool(spool, content(size), 64 * K);
        // An external checker has looked at it before, or even changed it.
        const message = isChanged ? content(size + 1) : content(size);
        const path = await spool.path();
        if (isChanged) runtime.files.overwrite(path, message);
        await spool.takeChange();
        assert.equal(await spool.copy(), copied);
        assert.ok(same(runtime.files.octetsOf(copied), message));
        deed(runtime.files, copied, message);
        const name = `${what}, ${size} octets`;
        const change = await spool.changedCopy();
        assert.equal(change !== undefined, what in CHANGES, name);
        if (change) assert.ok(same(await read(change), runtime.files.octetsOf(copied)), name);
        assert.ok(same(await read(spool), message), name);
        assert.ok(await spool.isIntact(), name);
        await spool.remove();
        assert.deepEqual(runtime.files.paths, []);
        assert.equal(runtime.files.handles, 0);
      }
    }
  }
});

Deno.test("Spool.changedCopy refuses what is no message", async () => {
  const { spool, runtime } = newSpool(true);
  await fillSpool(spool, content(10), 10);
  const path = await spool.copy();
  runtime.files.overwrite(path, new Uint8Array(0));
  await assert.rejects(spool.changedCopy(), /empty/);
  runtime.files.replace(path, content(10), "other");
  await assert.rejects(spool.changedCopy(), /no regular file/);
  runtime.files.unlink(path);
  await assert.rejects(spool.changedCopy(), (error) => error instanceof IoError && error.kind === "missing");
  await spool.remove();
});

Deno.test("Spool.recipientsFile has all recipients, each on a line of its own", async () => {
  for (const count of [0, 1, 99, 100, 101, 20_000]) {
    const { spool, runtime: { files } } = newSpool(true);
    const recipients = Array.from({ length: count }, (_, at) => at % 7 === 0 ? "" : `r\u00fc${at}@example.org`);
    const path = await spool.recipientsFile(recipients);
    assert.equal(path, "/tmp/postprox-1-0.rcpt");
    const lines = new TextDecoder().decode(files.octetsOf(path)).split("\n");
    assert.equal(lines.pop(), "");
    assert.deepEqual(lines, recipients);
    assert.equal(files.handles, 0);
    await spool.remove();
    assert.deepEqual(files.paths, []);
  }
});

Deno.test("Spool.written is what a program has left as OUTFILE", async () => {
  const { spool, runtime: { files } } = newSpool(true);
  await fillSpool(spool, content(10), 10);
  assert.equal(await spool.written(), undefined, "no program has got one");
  const path = await spool.outfile();
  assert.equal(await spool.written(), undefined);
  files.overwrite(path, content(300 * K));
  assert.ok(same(await read((await spool.written())!), content(300 * K)));
  files.replace(path, content(5));
  assert.ok(same(await read((await spool.written())!), content(5)));
  for (const kind of ["directory", "other"] as const) {
    files.replace(path, new Uint8Array(0), kind);
    await assert.rejects(spool.written(), /no regular file/);
  }
  files.unlink(path);
  assert.equal(await spool.written(), undefined);
  await spool.remove();
});

Deno.test("Spool.chunks throws when the file has become shorter than the message", async () => {
  const { spool, runtime } = newSpool(true);
  await fillSpool(spool, content(400 * K), 10_000);
  runtime.files.overwrite(await spool.path(), content(350 * K));
  await assert.rejects(read(spool), IoError);
  await spool.remove();
});

Deno.test("Spool.remove during a write that fails leaves no rejection behind", async () => {
  const { spool, runtime } = newSpool(true);
  runtime.files.fail("append", "other");
  await fillSpool(spool, content(300 * K), 129 * K);
  await spool.remove();
  await settled();
  assert.equal(runtime.files.handles, 0);
});
