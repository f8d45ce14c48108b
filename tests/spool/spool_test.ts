// Tests of lib/spool/spool.ts: what was appended is what comes back, at every size around the limits, and nothing is
// left after `remove`.

import assert from "node:assert/strict";
import { IoError } from "../../lib/runtime/io_error.ts";
import { concat } from "../../lib/smtp/bytes.ts";
import { isFull, Replacement, Spool } from "../../lib/spool/spool.ts";
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
    assert.equal(await spool.changed(), undefined);
    assert.ok(same(runtime.files.octetsOf(PATHS.eml), content(size)), `${size}`);
    runtime.files.overwrite(PATHS.eml, content(10));
    assert.equal(await spool.path(), PATHS.eml);
    assert.ok(same(runtime.files.octetsOf(PATHS.eml), content(10)), `${size}`);
    await spool.remove();
  }
});

Deno.test("Spool.changed gives what is in the file now, and refuses what is no message", async () => {
  for (const size of [100, 400 * K]) {
    for (const change of ["overwrite", "replace"] as const) {
      const { spool, runtime } = newSpool(true);
      await fillSpool(spool, content(size), 64 * K);
      await spool.path();
      await runtime.clock.advance(1);
      // Of the same size, too.
      for (const octets of [new Uint8Array(size), content(size - 1), content(size + 1)]) {
        runtime.files[change](PATHS.eml, octets);
        assert.ok(same(await read((await spool.changed())!), octets), `${change} ${octets.length} of ${size}`);
      }
      runtime.files[change](PATHS.eml, new Uint8Array(0));
      await assert.rejects(spool.changed(), /empty/);
      runtime.files.replace(PATHS.eml, content(10), "other");
      await assert.rejects(spool.changed(), /no regular file/);
      runtime.files.unlink(PATHS.eml);
      await assert.rejects(spool.changed(), (error) => error instanceof IoError && error.kind === "missing");
      await spool.remove();
      assert.equal(runtime.files.handles, 0);
    }
  }
});

Deno.test("Spool.isIntact sees what a filter did to a large EMAIL, and does not mind it for a small one", async () => {
  for (const size of [100, 400 * K]) {
    const { spool, runtime } = newSpool(true);
    await fillSpool(spool, content(size), 10_000);
    await spool.path();
    await runtime.clock.advance(10);
    runtime.files.overwrite(PATHS.eml, new Uint8Array(size));
    assert.equal(await spool.isIntact(), size === 100);
    if (size === 100) assert.ok(same(await read(spool), content(size)));
    await spool.remove();
  }
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

Deno.test("Replacement reads what its name leads to when it is read, and closes it, also when reading ends early", async () => {
  const { files } = new FakeRuntime();
  files.replace("/tmp/x.out", content(10));
  const replacement = new Replacement(files, "/tmp/x.out", 300 * K);
  files.replace("/tmp/x.out", content(300 * K));
  assert.ok(same(await read(replacement), content(300 * K)));
  for await (const _chunk of replacement.chunks()) break;
  assert.equal(files.handles, 0);
  // What runs on may write into it: no more than was judged, and never less.
  files.replace("/tmp/x.out", content(301 * K));
  assert.ok(same(await read(replacement), content(301 * K).subarray(0, 300 * K)));
  for (const left of [299 * K, 0]) {
    files.replace("/tmp/x.out", content(left));
    await assert.rejects(read(replacement), /shorter than its message/);
  }
  assert.equal(files.handles, 0);
  files.unlink("/tmp/x.out");
  await assert.rejects(read(replacement), (error) => error instanceof IoError && error.kind === "missing");
});
