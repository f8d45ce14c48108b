// Tests of lib/runtime/deno/runtime.ts, the real adapter: files, sockets, processes, and one vocabulary for their
// failures.

import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { createServer, type Server, type Socket } from "node:net";
import { once } from "node:events";
import { IoError, type IoErrorKind } from "../../lib/ports/io_error.ts";
import type { Child, Conn } from "../../lib/ports/runtime.ts";
import { denoRuntime } from "../../lib/runtime/deno/runtime.ts";
import { bytesOf, concat, textOf } from "../../lib/text/octets.ts";

const runtime = denoRuntime();
const { files, network, processes, clock } = runtime;

function isKind(kind: IoErrorKind): (error: unknown) => boolean {
  return (error) => {
    assert.ok(error instanceof IoError, String(error));
    assert.equal(error.kind, kind, error.message);
    return true;
  };
}

async function inFolder(use: (folder: string) => Promise<void>): Promise<void> {
  const folder = mkdtempSync("/tmp/postprox-test-");
  try {
    await use(folder);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

async function readAll(read: (into: Uint8Array) => Promise<number | null>): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  const into = new Uint8Array(1000);
  for (let count = await read(into); count !== null; count = await read(into)) parts.push(into.slice(0, count));
  return concat(parts);
}

// --- files

Deno.test("files.create makes a file with mode 0600 that can be written and read back", async () => {
  await inFolder(async (folder) => {
    const file = await files.create(`${folder}/x`);
    try {
      assert.equal(statSync(`${folder}/x`).mode & 0o777, 0o600);
      const large = new Uint8Array(3_000_000).map((_, at) => at % 251);
      await file.append(large);
      await file.append(bytesOf("end"));
      assert.deepEqual((await file.stat()).size, 3_000_003);
      let at = 0;
      const back = await readAll(async (into) => {
        const count = await file.read(into, at);
        at += count ?? 0;
        return count;
      });
      assert.equal(back.length, 3_000_003);
      assert.ok(large.every((octet, at) => back[at] === octet));
    } finally {
      file.close();
    }
  });
});

Deno.test("files.create fails with `exists` if the name is taken, even by a link to nowhere", async () => {
  await inFolder(async (folder) => {
    writeFileSync(`${folder}/file`, "kept");
    symlinkSync(`${folder}/nowhere`, `${folder}/link`);
    for (const name of ["file", "link"]) await assert.rejects(files.create(`${folder}/${name}`), isKind("exists"));
    assert.equal(readFileSync(`${folder}/file`, "utf8"), "kept");
    await assert.rejects(files.stat(`${folder}/nowhere`), isKind("missing"));
  });
});

Deno.test("files: a missing file is `missing`, and it is no error to remove one", async () => {
  await inFolder(async (folder) => {
    await assert.rejects(files.open(`${folder}/x`), isKind("missing"));
    await assert.rejects(files.stat(`${folder}/x`), isKind("missing"));
    await assert.rejects(files.create(`${folder}/no/x`), isKind("missing"));
    await assert.rejects(files.list(`${folder}/no`), isKind("missing"));
    await files.remove(`${folder}/x`);
  });
});

Deno.test("files.openLog appends, even after text that another process has written meanwhile", async () => {
  await inFolder(async (folder) => {
    const path = `${folder}/log`;
    const log = await files.openLog(path);
    await log.append(bytesOf("one\n"));
    writeFileSync(path, "two\n", { flag: "a" });
    await log.append(bytesOf("three\n"));
    log.close();
    assert.equal(readFileSync(path, "utf8"), "one\ntwo\nthree\n");
    assert.equal(statSync(path).mode & 0o137, 0);
  });
});

Deno.test("files.stat tells kinds and follows links; list gives names", async () => {
  await inFolder(async (folder) => {
    writeFileSync(`${folder}/file`, "12345");
    symlinkSync(`${folder}/file`, `${folder}/link`);
    assert.equal((await files.stat(folder)).kind, "directory");
    assert.equal((await files.stat("/dev/null")).kind, "other");
    const facts = await files.stat(`${folder}/link`);
    assert.deepEqual([facts.kind, facts.size], ["file", 5]);
    assert.equal(typeof facts.modified, "number");
    assert.deepEqual((await files.list(folder)).sort(), ["file", "link"]);
  });
});

Deno.test("files: a full disk is `no-space`", async () => {
  const full = await files.openLog("/dev/full");
  try {
    await assert.rejects(full.append(bytesOf("x")), isKind("no-space"));
  } finally {
    full.close();
  }
});

// --- network

interface Servant {
  readonly server: Server;
  readonly socket: Socket;
  readonly conn: Conn;
}

/** A connection of the adapter to a server of the test's own. */
async function connected(use: (servant: Servant) => Promise<void>): Promise<void> {
  const server = createServer({ allowHalfOpen: true }).listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as { port: number };
  const connection = once(server, "connection");
  const conn = await network.connect({ transport: "tcp", host: "127.0.0.1", port }, 5000);
  const [socket] = await connection as [Socket];
  socket.on("error", () => {});
  try {
    await use({ server, socket, conn });
  } finally {
    conn.close();
    socket.destroy();
    server.close();
    await once(server, "close");
  }
}

Deno.test("Conn reads and writes, and ends with null when the peer half-closes", async () => {
  await connected(async ({ conn, socket }) => {
    socket.end("hello");
    assert.equal(textOf(await readAll((into) => conn.read(into))), "hello");
    const heard: Uint8Array[] = [];
    socket.on("data", (chunk: Uint8Array) => heard.push(chunk));
    const large = new Uint8Array(2_000_000).fill(7);
    await conn.write(large);
    conn.close();
    await once(socket, "end");
    assert.equal(concat(heard).length, large.length);
  });
});

Deno.test("Conn.read fails with `reset` if the peer breaks the connection", async () => {
  await connected(async ({ conn, socket }) => {
    const reading = assert.rejects(conn.read(new Uint8Array(10)), isKind("reset"));
    socket.resetAndDestroy();
    await reading;
  });
});

Deno.test("Conn.write fails with `reset` once the peer has gone", async () => {
  await connected(async ({ conn, socket }) => {
    const broken = assert.rejects(async () => {
      for (;;) await conn.write(new Uint8Array(100_000));
    }, isKind("reset"));
    socket.resetAndDestroy();
    await broken;
  });
});

Deno.test("Conn.close ends a read and a write that wait, with `closed`, and can be called again", async () => {
  await connected(async ({ conn }) => {
    const reading = assert.rejects(conn.read(new Uint8Array(10)), isKind("closed"));
    const writing = assert.rejects(async () => {
      for (;;) await conn.write(new Uint8Array(1_000_000));
    }, isKind("closed"));
    conn.close();
    conn.close();
    await reading;
    await writing;
  });
});

Deno.test("network.connect says why it cannot connect", async () => {
  const closed = createServer().listen(0, "127.0.0.1");
  await once(closed, "listening");
  const { port } = closed.address() as { port: number };
  closed.close();
  await once(closed, "close");
  await assert.rejects(network.connect({ transport: "tcp", host: "127.0.0.1", port }, 5000), isKind("refused"));
  const missing = { transport: "unix", path: "/tmp/postprox-no-such-socket" } as const;
  await assert.rejects(network.connect(missing, 5000), isKind("missing"));
  const unknown = { transport: "tcp", host: "no-such-host.invalid", port: 25 } as const;
  await assert.rejects(network.connect(unknown, 5000), isKind("unknown-host"));
});

Deno.test("network.listen accepts with the peer's address, and close ends an accept with `closed`", async () => {
  await inFolder(async (folder) => {
    const at = { transport: "unix", path: `${folder}/socket` } as const;
    const listener = await network.listen(at);
    const [accepted, conn] = await Promise.all([listener.accept(), network.connect(at, 5000)]);
    await conn.write(bytesOf("hello"));
    conn.close();
    assert.equal(textOf(await readAll((into) => accepted.read(into))), "hello");
    assert.equal(accepted.peer, undefined);
    accepted.close();
    await assert.rejects(network.listen(at), isKind("in-use"));
    const waiting = assert.rejects(listener.accept(), isKind("closed"));
    listener.close();
    await waiting;
  });
});

Deno.test("network.listen on TCP gives the peer's address", async () => {
  const free = createServer().listen(0, "127.0.0.1");
  await once(free, "listening");
  const { port } = free.address() as { port: number };
  const at = { transport: "tcp", host: "127.0.0.1", port } as const;
  await assert.rejects(network.listen(at), isKind("in-use"));
  free.close();
  await once(free, "close");
  const listener = await network.listen(at);
  const [accepted, conn] = await Promise.all([listener.accept(), network.connect(at, 5000)]);
  assert.equal(accepted.peer, "127.0.0.1");
  accepted.close();
  conn.close();
  listener.close();
});

// --- clock

Deno.test("clock.after calls once, unless it is cancelled; now never goes back", async () => {
  const before = clock.now();
  let cancelled = true;
  clock.after(0, () => cancelled = false)();
  await new Promise<void>((resolve) => clock.after(1, resolve));
  assert.ok(cancelled);
  assert.ok(clock.now() >= before);
});

// --- processes

/**
 * The adapter listens for SIGCHLD from the first process on, for the life of the program: no leak. The signal of the last
 * process may come late. So these tests are the last ones here.
 */
function testProcess(name: string, fn: () => Promise<void>): void {
  Deno.test({ name, fn, sanitizeOps: false, sanitizeResources: false });
}

async function stderrOf(child: Child): Promise<string> {
  const parts: Uint8Array[] = [];
  for (let part = await child.readStderr(); part !== null; part = await child.readStderr()) parts.push(part.slice());
  return textOf(concat(parts));
}

testProcess("processes.start gives exit status and standard error", async () => {
  const child = await processes.start(["sh", "-c", "echo out; echo $A >&2; cat; exit 7"], { A: "given $(id)" });
  assert.equal(await stderrOf(child), "given $(id)\n");
  assert.deepEqual(await child.ended, { exit: 7 });
});

testProcess("a signal that comes while setsid(1) makes the group reaches the group all the same", async () => {
  const child = await processes.start(["/bin/sh", "-c", "sleep infinity & echo started >&2; wait"], {});
  await child.readStderr();
  const kill = Deno.kill;
  // It comes too early for the group once. When it comes to the program alone, that has a child already.
  Deno.kill = () => {
    Deno.kill = kill;
    throw new Deno.errors.NotFound();
  };
  child.signalGroup("SIGKILL");
  assert.deepEqual(await child.ended, { signal: "SIGKILL" });
  // The program's child holds standard error open: that it ends shows that both are gone.
  assert.equal(await child.readStderr(), null);
});

testProcess("processes.start inherits the environment", async () => {
  const child = await processes.start(["sh", "-c", "echo $PATH >&2"], {});
  assert.ok((await stderrOf(child)).trim().length > 0);
  await child.ended;
});

testProcess(
  "processes.start fails with `missing` for a program that is not there, or that ends as in a shell",
  async () => {
    try {
      const child = await processes.start(["/no/such/program"], {});
      await stderrOf(child);
      assert.deepEqual(await child.ended, { exit: 127 });
    } catch (error) {
      isKind("missing")(error);
    }
  },
);

testProcess(
  "processes.start ends in the same way for the first program and for later ones, which need no shell",
  async () => {
    const dir = Deno.makeTempDirSync({ prefix: "postprox_processes_" });
    const file = (name: string, text: string, mode = 0o755) => {
      const path = `${dir}/${name}`;
      Deno.writeTextFileSync(path, text);
      Deno.chmodSync(path, mode);
      return path;
    };
    const rows: readonly (readonly [words: string[], exit: number, says: RegExp])[] = [
      [["/bin/sh", "-c", "echo $1 >&2; exit 7", "", "one  two"], 7, /^one two\n$/],
      [[file("script", '#!/bin/sh\necho "$1" >&2; exit 5\n'), "a  '$b'"], 5, /^a {2}'\$b'\n$/],
      [["/usr/bin/env", "sh", "-c", "exit 4"], 4, /^$/],
      [[file("plain", 'echo "$1" >&2; exit 3\n'), "a  '$b'"], 3, /^a {2}'\$b'\n$/],
      [[file("empty", "")], 0, /^$/],
      [[`${dir}/none`], 127, /none/],
      [[dir], 126, /./],
      [[file("closed", "#!/bin/sh\n", 0o644)], 126, /closed/],
      [[file("lost", "#!/no/such/interpreter\n")], 127, /lost/],
    ];
    try {
      for (let round = 0; round < 3; round++) {
        for (const [words, exit, says] of rows) {
          const child = await processes.start(words, {});
          const said = await stderrOf(child);
          assert.deepEqual(await child.ended, { exit }, `${round}: ${words}: ${said}`);
          assert.match(said, says, `${round}: ${words}`);
        }
      }
    } finally {
      Deno.removeSync(dir, { recursive: true });
    }
  },
);

testProcess("Child.signalGroup reaches the grandchildren, and nobody left is no error", async () => {
  // The grandchild holds standard error open: that it ends shows that both are gone.
  const child = await processes.start(["sh", "-c", "cat /dev/zero > /dev/null & echo ready >&2; wait"], {});
  assert.equal(textOf((await child.readStderr())!), "ready\n");
  child.signalGroup("SIGTERM");
  assert.deepEqual(await child.ended, { signal: "SIGTERM" });
  assert.equal(await child.readStderr(), null);
  child.signalGroup("SIGKILL");
});

testProcess("Child.closeStderr ends a read that waits", async () => {
  const child = await processes.start(["sh", "-c", "echo ready >&2; exec cat /dev/zero > /dev/null"], {});
  await child.readStderr();
  const reading = child.readStderr();
  child.closeStderr();
  assert.equal(await reading, null);
  child.signalGroup("SIGKILL");
  assert.deepEqual(await child.ended, { signal: "SIGKILL" });
});
