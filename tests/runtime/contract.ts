// The contract of a runtime adapter with the program: a table of cases for any adapter.
//
// The cases run inside the runtime itself (contract_main.ts). So they use only node modules, which both runtimes have,
// and python3 for things that these cannot make: a full queue of connections, a datagram socket. A case throws if it
// fails. contract_test.ts has the cases that need a process of their own.

import { strict as assert } from "node:assert";
import { spawn, spawnSync } from "node:child_process";
import * as fs from "node:fs";
import { connect, createServer, type Server, type Socket } from "node:net";
import { once } from "node:events";
import process from "node:process";
import { IoError, type IoErrorKind } from "../../lib/ports/io_error.ts";
import type { Child, Conn, Listener, Runtime } from "../../lib/ports/runtime.ts";
import { octets, spelled } from "../rig/octets.ts";
import { freePort } from "../rig/ports.ts";
import { until } from "../rig/wait.ts";

export interface ContractCase {
  readonly name: string;
  readonly play: (runtime: Runtime, dir: string) => Promise<void>;
}

const CONNECT_LIMIT = 5000;

// A kernel and one buffer of the runtime may hold this much of a stream that nobody reads.
const IN_FLIGHT_LIMIT = 16_000_000;

export const CONTRACT: readonly ContractCase[] = [
  // --- connections, both from connect and from accept
  ...bothSides("a peer that shuts down its side is null, once and again, and still hears us", async (conn, peer) => {
    peer.end("last words");
    assert.equal(await readText(conn, 10), "last words");
    assert.equal(await conn.read(new Uint8Array(10)), null);
    assert.equal(await conn.read(new Uint8Array(10)), null);
    await conn.write(octets("first answer "));
    await pause(50);
    await conn.write(octets("second answer"));
    assert.equal(await peerReads(peer, 26), "first answer second answer");
  }),
  ...bothSides("a read that waits ends with the peer's side", async (conn, peer) => {
    const reading = conn.read(new Uint8Array(10));
    await pause(20);
    peer.end();
    assert.equal(await reading, null);
  }),
  ...bothSides("a peer that resets is kind reset, for the read that waits and the next", async (conn, peer) => {
    const reading = conn.read(new Uint8Array(10));
    reading.catch(() => {});
    await pause(20);
    peer.resetAndDestroy();
    await rejects(reading, "reset");
  }),
  ...bothSides("what came before a reset can be read", async (conn, peer) => {
    await new Promise<void>((sent) => peer.write("last words", () => sent()));
    await pause(50);
    peer.resetAndDestroy();
    await pause(50);
    assert.equal(await readText(conn, 10), "last words");
    await rejects(conn.read(new Uint8Array(10)), "reset");
  }),
  ...bothSides("writing to a peer that has closed is kind reset within a few writes", async (conn, peer) => {
    peer.destroy();
    await rejects(
      (async () => {
        for (let tries = 0; tries < 50; tries++) {
          await conn.write(octets("is anybody there?"));
          await pause(10);
        }
      })(),
      "reset",
    );
    await rejects(conn.write(octets("and now?")), "reset");
  }),
  ...bothSides("a write to a peer that does not read waits, and all of it arrives", async (conn, peer) => {
    peer.pause();
    const piece = pattern(65536);
    let accepted = 0;
    let waits = false;
    const writing = (async () => {
      for (let count = 0; count < 256; count++) {
        await conn.write(piece);
        accepted += piece.length;
      }
    })();
    for (let before = -1; !waits; await pause(200)) {
      waits = before === accepted;
      before = accepted;
    }
    assert.ok(accepted < IN_FLIGHT_LIMIT, `${accepted} octets were taken and none was read`);
    const read = peerReads(peer, 256 * piece.length);
    peer.resume();
    await writing;
    assert.ok(await read === spelled(piece).repeat(256), "the octets arrived changed");
  }),
  ...bothSides("nothing is read much ahead of read, and nothing is lost", async (conn, peer) => {
    const piece = Buffer.from(pattern(65536));
    for (let count = 0; count < 512; count++) peer.write(piece);
    let before = -1;
    for (; before !== peer.bytesWritten - peer.writableLength; await pause(200)) {
      before = peer.bytesWritten - peer.writableLength;
    }
    assert.ok(peer.writableLength > 512 * 65536 - IN_FLIGHT_LIMIT, "a reader that does not read took it all");
    const whole = await readOctets(conn, 512 * piece.length);
    for (let count = 0; count < 512; count++) {
      assert.ok(piece.equals(whole.subarray(count * 65536, (count + 1) * 65536)), `piece ${count} arrived changed`);
    }
  }),
  ...bothSides("a small buffer gets what came in parts", async (conn, peer) => {
    peer.write("abcdefghij");
    await pause(30);
    const into = new Uint8Array(4);
    let heard = "";
    while (heard.length < 10) heard += spelled(into.subarray(0, (await conn.read(into))!));
    assert.equal(heard, "abcdefghij");
  }),
  ...bothSides("close ends a read that waits, and what comes later, with kind closed", async (conn, peer) => {
    peer.resume();
    await conn.write(octets("written before"));
    const reading = conn.read(new Uint8Array(10));
    reading.catch(() => {});
    await pause(20);
    conn.close();
    await rejects(reading, "closed");
    await rejects(conn.read(new Uint8Array(10)), "closed");
    await rejects(conn.write(octets("too late")), "closed");
    conn.close();
  }),
  ...bothSides("close ends a write that waits", async (conn, peer) => {
    peer.pause();
    const writing = conn.write(new Uint8Array(32_000_000));
    writing?.catch(() => {});
    await pause(100);
    conn.close();
    await rejects(writing, "closed", "reset");
  }),
  ...bothSides("what was written before close arrives, and then the end", async (conn, peer) => {
    const heard = peerReadsAll(peer);
    await conn.write(pattern(100_000));
    conn.close();
    assert.equal((await heard).length, 100_000);
  }),
  ...bothSides("small writes are not held back until the peer answers", async (conn, peer) => {
    let heard = 0;
    peer.on("data", (chunk: Uint8Array) => {
      heard += chunk.length;
      if (heard % 2 === 0) peer.write("!");
    });
    // Nagle's algorithm against delayed acknowledgements costs 40 ms each time, every time. A busy machine is not always so.
    let best = Infinity;
    for (let round = 0; round < 10 && best > 200; round++) {
      const start = performance.now();
      for (let count = 0; count < 10; count++) {
        await conn.write(octets("a"));
        await conn.write(octets("b"));
        await readText(conn, 1);
      }
      best = Math.min(best, performance.now() - start);
    }
    assert.ok(best <= 200, `${best} ms for 10 answers`);
  }),

  // --- connect
  {
    name: "connect: nobody listens, kind refused, and the message names the address",
    play: async ({ network }) => {
      const port = await freePort();
      const error = await rejects(network.connect({ transport: "tcp", host: "127.0.0.1", port }, 5000), "refused");
      assert.match(error.message, new RegExp(`127\\.0\\.0\\.1:${port}`));
      assert.match(error.message, /refused/i);
    },
  },
  {
    name: "connect: a name that nobody knows is kind unknown-host",
    play: async ({ network }) => {
      await rejects(network.connect({ transport: "tcp", host: "nobody.invalid", port: 25 }, 5000), "unknown-host");
    },
  },
  {
    name: "addressesOf: a name, an address, a number in place of one, and a name that nobody knows",
    play: async ({ network }) => {
      assert.ok((await network.addressesOf("localhost")).includes("127.0.0.1"));
      assert.deepEqual(await network.addressesOf("127.0.0.2"), ["127.0.0.2"]);
      assert.deepEqual(await network.addressesOf("::1"), ["::1"]);
      assert.deepEqual(await network.addressesOf("127.1"), ["127.0.0.1"]);
      await rejects(network.addressesOf("nobody.invalid"), "unknown-host");
    },
  },
  {
    name: "connect: a name is looked up",
    play: (runtime) =>
      withServer(async (port, accepted) => {
        const conn = await runtime.network.connect({ transport: "tcp", host: "localhost", port }, CONNECT_LIMIT);
        (await accepted()).write("hello");
        assert.equal(await readText(conn, 5), "hello");
        conn.close();
      }),
  },
  {
    name: "connect: a server that does not answer is kind timeout, in time",
    play: async ({ network }) => {
      const full = startPython(`
import socket, sys
server = socket.socket()
server.bind(("127.0.0.1", 0))
server.listen(0)
waiting = [socket.create_connection(server.getsockname())]
for _ in range(3):
    one = socket.socket()
    one.setblocking(False)
    one.connect_ex(server.getsockname())
    waiting.append(one)
print(server.getsockname()[1], flush=True)
sys.stdin.read()
`);
      try {
        const port = Number(await full.line());
        await pause(100);
        const start = performance.now();
        await rejects(network.connect({ transport: "tcp", host: "127.0.0.1", port }, 300), "timeout");
        assert.ok(performance.now() - start < 10_000);
      } finally {
        await full.end();
      }
    },
  },

  // --- listen
  {
    name: "listen: each connection is accepted once, in order, with the peer's address",
    play: ({ network }) => withListener(network, acceptsFive),
  },
  {
    name: "listen: a port that is taken is kind in-use, and free again at once after close",
    play: async ({ network }) => {
      let port = 0;
      await withListener(network, async (listener, taken) => {
        port = taken;
        const { message } = await rejects(network.listen({ transport: "tcp", host: "127.0.0.1", port }), "in-use");
        assert.match(message, /^cannot listen at 127\.0\.0\.1:\d+: address already in use/i);
        const peer = connect(port, "127.0.0.1");
        peer.on("error", () => {});
        const conn = await listener.accept();
        // The side that closes first keeps the port in TIME_WAIT.
        conn.close();
        peer.resume();
        peer.end();
        await once(peer, "close");
      });
      (await network.listen({ transport: "tcp", host: "127.0.0.1", port })).close();
    },
  },
  {
    name: "listen: close ends an accept that waits, and every later one, with kind closed",
    play: async ({ network }) => {
      const port = await freePort();
      const listener = await network.listen({ transport: "tcp", host: "127.0.0.1", port });
      const accepting = listener.accept();
      accepting.catch(() => {});
      await pause(20);
      listener.close();
      await rejects(accepting, "closed");
      await rejects(listener.accept(), "closed");
      await pause(20);
      await rejects(network.connect({ transport: "tcp", host: "127.0.0.1", port }, 5000), "refused");
    },
  },
  ...closing("listen", ({ network }, play) => withListener(network, play)),
  ...closing("inherited", ({ network }, play) => withInherited(network, play)),
  {
    name: "inherited: close ends an accept that waits, and every later one, with kind closed",
    play: ({ network }) =>
      withInherited(network, async (listener) => {
        const accepting = listener.accept();
        accepting.catch(() => {});
        await pause(20);
        listener.close();
        await rejects(accepting, "closed");
        await rejects(listener.accept(), "closed");
      }),
  },
  {
    name: "inherited: each connection is accepted once, in order, with the peer's address",
    play: ({ network }) => withInherited(network, acceptsFive),
  },
  {
    name: "inherited: the socket is not in the programs that we start",
    play: ({ network, processes }) =>
      withInherited(network, async (_listener, port) => {
        assert.equal(await socketsOfChild(processes, port), 0);
      }),
  },
  {
    name: "inherited: the address of the socket, which children do not get from then on",
    play: async ({ network, processes }) => {
      const [fd = -1, port = 0] = INHERITED.shift() ?? [];
      assert.deepEqual(await network.inherit(fd), { transport: "tcp", host: "127.0.0.1", port });
      assert.equal(await socketsOfChild(processes, port), 0);
      (await network.listenInherited(fd)).close();
    },
  },
  {
    name: "inherited: a descriptor that is no listening socket is an error",
    play: async ({ network }, dir) => {
      const fd = fs.openSync(`${dir}/file`, "w");
      try {
        await assert.rejects(network.inherit(fd), IoError);
        await assert.rejects(network.inherit(999), IoError);
        await assert.rejects(network.listenInherited(fd), IoError);
        await assert.rejects(network.listenInherited(999), IoError);
      } finally {
        fs.closeSync(fd);
      }
    },
  },
  {
    name: "listen: an address of another host is kind unreachable",
    play: async ({ network }) => {
      await rejects(network.listen({ transport: "tcp", host: "198.51.100.1", port: await freePort() }), "unreachable");
    },
  },

  // --- workers
  ...(["tcp", "ip6", "unix"] as const).map((kind): ContractCase => ({
    name: `hold: a worker accepts on the socket, over ${kind}, and this process never does`,
    play: async ({ network, processes }, dir) => {
      const port = await freePort();
      const host = kind === "ip6" ? "::1" : "127.0.0.1";
      const at = kind === "unix" ? { transport: "unix", path: `${dir}/held` } as const : {
        transport: "tcp",
        host,
        port,
      } as const;
      const connectIt = () => at.transport === "unix" ? connect(at.path) : connect({ host, port });
      const held = await network.hold(at, 0o600);
      if (at.transport === "unix") assert.equal(fs.statSync(at.path).mode & 0o777, 0o600);
      await rejects(network.hold(at), "in-use");
      // Nobody accepts, but the queue takes it.
      const early = connectIt();
      await once(early, "connect");
      const worker = await processes.startWorker(["python3", "-c", WORKER], [held.descriptor]);
      const read = newReader(() => worker.read());
      try {
        await worker.write(octets("accept 1\n"));
        assert.equal(await read("accepted 1\n"), "accepted 1\n");
        assert.equal(await peerReads(early, 5), "hello");
        held.close();
        held.close();
        if (at.transport === "unix") assert.equal(fs.existsSync(at.path), false);
        else {
          // The worker still has the socket.
          const late = connectIt();
          await worker.write(octets("accept 2\n"));
          assert.equal(await peerReads(late, 5), "hello");
          assert.equal(await read("accepted 2\n"), "accepted 2\n");
          late.destroy();
        }
      } finally {
        early.destroy();
        worker.kill();
      }
      assert.deepEqual(await worker.ended, { signal: "SIGKILL" });
      assert.equal(await worker.read(), null);
      worker.kill();
    },
  })),
  {
    name: "hold: a socket closes, too, if its name cannot be removed",
    play: async ({ network }, dir) => {
      const path = `${dir}/stays`;
      const held = await network.hold({ transport: "unix", path });
      fs.rmSync(path);
      fs.mkdirSync(`${path}/full`, { recursive: true });
      held.close();
      assert.equal(fs.existsSync(path), true);
    },
  },
  {
    name: "hold: an address that cannot be had says why",
    play: async ({ network }, dir) => {
      await rejects(network.hold({ transport: "tcp", host: "198.51.100.1", port: await freePort() }), "unreachable");
      await rejects(network.hold({ transport: "unix", path: `${dir}/none/held` }), "missing");
      const port = await freePort();
      const held = await network.hold({ transport: "tcp", host: "127.0.0.1", port });
      await rejects(network.listen({ transport: "tcp", host: "127.0.0.1", port }), "in-use");
      held.close();
      // The port is free again.
      (await network.listen({ transport: "tcp", host: "127.0.0.1", port })).close();
    },
  },
  {
    name: "startWorker: its environment names the sockets, and has nothing that is meant for the supervisor alone",
    play: async ({ network, processes }, dir) => {
      for (const [name, value] of SUPERVISORS) process.env[name] = value;
      const sockets = [];
      for (const name of ["one", "other"]) {
        sockets.push(await network.hold({ transport: "unix", path: `${dir}/${name}` }));
      }
      try {
        const descriptors = sockets.map(({ descriptor }) => descriptor);
        const worker = await processes.startWorker(["/usr/bin/env"], descriptors);
        const read = newReader(() => worker.read());
        const said = (await read("")).split("\n");
        assert.deepEqual(await worker.ended, { exit: 0 });
        const numbers = said.flatMap((line) => /^POSTPROX_WORKER=(.*)/.exec(line)?.[1] ?? []);
        assert.deepEqual(numbers.map((text) => text.split(",").length), [2]);
        assert.ok(said.some((line) => line.startsWith("PATH=")));
        for (const [name] of SUPERVISORS) assert.ok(!said.some((line) => line.startsWith(`${name}=`)), name);
      } finally {
        for (const socket of sockets) socket.close();
        for (const [name] of SUPERVISORS) delete process.env[name];
      }
    },
  },
  {
    name: "startWorker: it is the leader of its own group, and hears when its input ends",
    play: async ({ processes }) => {
      const words = [
        "python3",
        "-c",
        "import os,sys; print(os.getpgrp()==os.getpid(), flush=True); sys.stdin.read(); sys.exit(9)",
      ];
      const worker = await processes.startWorker(words, []);
      const read = newReader(() => worker.read());
      assert.equal(await read("True\n"), "True\n");
      process.kill(worker.pid, 0);
      worker.kill();
      assert.deepEqual(await worker.ended, { signal: "SIGKILL" });
    },
  },

  // --- unix sockets
  {
    name: "unix: a conversation with a socket, without a peer's address",
    play: async ({ network }, dir) => {
      const path = `${dir}/unix`;
      const listener = await network.listen({ transport: "unix", path });
      // connect(2) wants the right to write.
      assert.equal(fs.statSync(path).mode & 0o777, 0o666);
      const [here, there] = await Promise.all([
        network.connect({ transport: "unix", path }, CONNECT_LIMIT),
        listener.accept(),
      ]);
      assert.equal(here.peer, undefined);
      assert.equal(there.peer, undefined);
      await here.write(octets("hello"));
      assert.equal(await readText(there, 5), "hello");
      await there.write(octets("world"));
      assert.equal(await readText(here, 5), "world");
      here.close();
      assert.equal(await there.read(new Uint8Array(1)), null);
      there.close();
      listener.close();
    },
  },
  {
    name: "unix: a socket has its permissions from its first moment, under any umask, which stays as it was",
    play: async ({ network }, dir) => {
      const before = process.umask();
      try {
        for (const umask of [0, 0o022, 0o777]) {
          for (const mode of [0, 0o600, 0o660, 0o666, 0o777]) {
            process.umask(umask);
            const path = `${dir}/unix`;
            const modes = new Set<number>();
            // The last moment before the call returns is all that another process can see of its first moment.
            const listening = network.listen({ transport: "unix", path }, mode);
            for (let turn = 0; turn < 100 && !fs.existsSync(path); turn++) await Promise.resolve();
            if (fs.existsSync(path)) modes.add(fs.statSync(path).mode & 0o777);
            const listener = await listening;
            modes.add(fs.statSync(path).mode & 0o777);
            assert.deepEqual([...modes], [mode]);
            assert.equal(process.umask(), umask);
            listener.close();
            fs.rmSync(path, { force: true });
          }
        }
        process.umask(0o077);
        // The umask stays also if there is no socket.
        await rejects(network.listen({ transport: "unix", path: `${dir}/none/unix` }, 0o600), "missing");
        assert.equal(process.umask(), 0o077);
      } finally {
        process.umask(before);
      }
    },
  },
  {
    name: "unix: no such path is kind missing, a socket that nobody serves is kind refused",
    play: async ({ network }, dir) => {
      await rejects(network.connect({ transport: "unix", path: `${dir}/nothing` }, 5000), "missing");
      const left = startPython(`
import socket
server = socket.socket(socket.AF_UNIX)
server.bind("${dir}/left")
print("ready", flush=True)
`);
      await left.line();
      await left.end();
      await rejects(network.connect({ transport: "unix", path: `${dir}/left` }, 5000), "refused");
      await rejects(network.listen({ transport: "unix", path: `${dir}/left` }), "in-use");
    },
  },
  {
    name: "unix: a server whose queue is full is waited for, and is kind timeout in the end",
    play: async ({ network }, dir) => {
      const path = `${dir}/full`;
      const server = startPython(`
import socket, sys
server = socket.socket(socket.AF_UNIX)
server.bind("${path}")
server.listen(0)
print("ready", flush=True)
sys.stdin.readline()
server.accept()
sys.stdin.readline()
`);
      await server.line();
      const first = await network.connect({ transport: "unix", path }, CONNECT_LIMIT);
      await rejects(network.connect({ transport: "unix", path }, 300), "timeout");
      const waiting = network.connect({ transport: "unix", path }, CONNECT_LIMIT);
      server.say("accept\n");
      (await waiting).close();
      first.close();
      await server.end();
    },
  },

  // --- datagrams
  {
    name: "datagrams: arrive whole, in order, octet for octet",
    play: async ({ network }, dir) => {
      const daemon = await startSyslog(`${dir}/log`, 3);
      const sender = await network.datagrams(`${dir}/log`);
      const sent = ["<22>first", "<22>s\xe9cond \x01", "<22>" + "x".repeat(2000)];
      for (const one of sent) await sender.send(octets(one));
      assert.deepEqual(await daemon.received(), sent);
    },
  },
  {
    name: "datagrams: nobody is there, then somebody comes, goes and comes again",
    play: async ({ network }, dir) => {
      const path = `${dir}/log`;
      const sender = await network.datagrams(path);
      await rejects(sender.send(octets("to nobody")), "missing");
      for (const turn of ["first", "second"]) {
        const daemon = await startSyslog(path, 1);
        await sender.send(octets(turn));
        assert.deepEqual(await daemon.received(), [turn]);
        await rejects(sender.send(octets("to one who left")), "refused");
        fs.unlinkSync(path);
      }
    },
  },
  {
    name: "datagrams: a receiver that is slow is waited for, and nothing is lost",
    play: async ({ network }, dir) => {
      const count = 600;
      const daemon = await startSyslog(`${dir}/log`, count, 0.3);
      const sender = await network.datagrams(`${dir}/log`);
      for (let sent = 0; sent < count; sent++) await sender.send(octets(`line ${sent}`));
      assert.deepEqual(await daemon.received(), Array.from({ length: count }, (_, sent) => `line ${sent}`));
    },
  },

  {
    name: "datagrams: a socket of the other type is kind wrong-type, either way",
    play: async ({ network }, dir) => {
      const daemon = startPython(`
import socket, sys
stream, datagrams = socket.socket(socket.AF_UNIX), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
stream.bind("${dir}/stream")
stream.listen()
datagrams.bind("${dir}/datagrams")
print("ready", flush=True)
sys.stdin.read()
`);
      try {
        await daemon.line();
        await rejects((await network.datagrams(`${dir}/stream`)).send(octets("a line")), "wrong-type");
        await rejects(network.connect({ transport: "unix", path: `${dir}/datagrams` }, CONNECT_LIMIT), "wrong-type");
      } finally {
        await daemon.end();
      }
    },
  },

  {
    name: "datagrams: a path that begins with @ is a name that is no file, and nothing follows it",
    play: async ({ network }) => {
      const name = `postprox-test-${crypto.randomUUID()}`;
      const daemon = await startSyslog(`\\0${name}`, 1);
      await (await network.datagrams(`@${name}`)).send(octets("READY=1"));
      assert.deepEqual(await daemon.received(), ["READY=1"]);
      await rejects((await network.datagrams(`@${name}-more`)).send(octets("READY=1")), "refused");
    },
  },

  // --- files
  {
    name: "files: create makes mode 0600, and refuses a name that is taken, even by a link to nothing",
    play: async ({ files }, dir) => {
      const file = await files.create(`${dir}/new`);
      file.close();
      assert.equal(fs.statSync(`${dir}/new`).mode & 0o7777, 0o600);
      await rejects(files.create(`${dir}/new`), "exists");
      fs.symlinkSync(`${dir}/target`, `${dir}/link`);
      await rejects(files.create(`${dir}/link`), "exists");
      assert.equal(fs.existsSync(`${dir}/target`), false);
      await rejects(files.create(`${dir}/none/new`), "missing");
    },
  },
  {
    name: "files: createReadable makes mode 0644 under any umask, and refuses a name that is taken",
    play: async ({ files }, dir) => {
      const before = process.umask(0o077);
      try {
        const file = await files.createReadable(`${dir}/file`);
        await file.append(octets("words"));
        file.close();
      } finally {
        process.umask(before);
      }
      assert.equal(fs.readFileSync(`${dir}/file`, "latin1"), "words");
      assert.equal(fs.statSync(`${dir}/file`).mode & 0o777, 0o644);
      await rejects(files.createReadable(`${dir}/file`), "exists");
      await rejects(files.createReadable(`${dir}/none/file`), "missing");
    },
  },
  {
    name: "files: what is appended is read again from any place, small and large",
    play: async ({ files }, dir) => {
      const file = await files.create(`${dir}/spool`);
      const large = pattern(300_000);
      await file.append(octets("small"));
      await file.append(large);
      await file.append(octets("end"));
      assert.deepEqual(await file.stat(), await files.stat(`${dir}/spool`));
      assert.equal((await file.stat()).size, 300_008);
      for (let turn = 0; turn < 2; turn++) {
        assert.equal(await readFile(file), `small${spelled(large)}end`);
        assert.equal(await file.read(new Uint8Array(10), 300_008), null);
      }
      const into = new Uint8Array(10);
      assert.equal(spelled(into.subarray(0, (await file.read(into, 300_003))!)), spelled(large.subarray(-2)) + "end");
      // Octets that are appended after a look at the beginning stand at the end.
      await file.read(into, 0);
      await file.append(octets("more"));
      assert.equal(spelled(into.subarray(0, (await file.read(into, 300_005))!)), "endmore");
      file.close();
      assert.equal(fs.statSync(`${dir}/spool`).size, 300_012);
    },
  },
  {
    name: "files: any number of readers read one file at once, each from its own place",
    play: async ({ files }, dir) => {
      const file = await files.create(`${dir}/spool`);
      await file.append(pattern(300_000));
      const wholes = await Promise.all([65536, 4096, 999].map((size) => readFile(file, size)));
      for (const whole of wholes) assert.ok(whole === spelled(pattern(300_000)));
      file.close();
    },
  },
  {
    name: "files: a file stays readable after it lost its name, and its name may be another's",
    play: async ({ files }, dir) => {
      const file = await files.create(`${dir}/spool`);
      await file.append(octets("kept"));
      await files.remove(`${dir}/spool`);
      fs.writeFileSync(`${dir}/spool`, "other");
      assert.equal(await readFile(file), "kept");
      file.close();
      const other = await files.open(`${dir}/spool`);
      assert.equal(await readFile(other), "other");
      other.close();
    },
  },
  {
    name: "files: a change of a backdated file is told by its time, or by its inode, however soon it comes",
    play: async ({ files }, dir) => {
      const file = await files.create(`${dir}/spool`);
      await file.append(octets("text"));
      await file.backdate();
      const before = await file.stat();
      assert.deepEqual(await files.stat(`${dir}/spool`), before);
      fs.writeFileSync(`${dir}/spool`, "TEXT");
      assert.ok((await file.stat()).modified! > before.modified!);
      fs.writeFileSync(`${dir}/other`, "text");
      fs.renameSync(`${dir}/other`, `${dir}/spool`);
      const now = await files.stat(`${dir}/spool`);
      assert.notEqual(now.inode, before.inode);
      file.close();
      // One that may only be read, too.
      const other = await files.open(`${dir}/spool`);
      await other.backdate();
      assert.ok((await other.stat()).modified! < now.modified!);
      other.close();
    },
  },
  {
    name: "files: stat follows links, tells kinds, which file it is, and the time of the last change in milliseconds",
    play: async ({ files }, dir) => {
      fs.writeFileSync(`${dir}/file`, "12345");
      fs.utimesSync(`${dir}/file`, 1000, 1234567.891);
      fs.symlinkSync(`${dir}/file`, `${dir}/link`);
      assert.deepEqual(await files.stat(`${dir}/link`), {
        kind: "file",
        size: 5,
        modified: 1234567891,
        executable: false,
        device: fs.statSync(dir).dev,
        inode: fs.statSync(`${dir}/file`).ino,
        isOwn: true,
        isEverybodys: false,
        changed: Math.floor(fs.statSync(`${dir}/file`).ctimeMs),
      });
      assert.equal((await files.stat(dir)).kind, "directory");
      assert.equal((await files.stat("/dev/null")).kind, "other");
      await rejects(files.stat(`${dir}/none`), "missing");
      await rejects(files.stat(`${dir}/file/below`), "missing");
      await rejects(files.open(`${dir}/none`), "missing");
    },
  },
  {
    name: "files: a file that is made locked is so for everybody else until it is closed",
    play: async ({ files }, dir) => {
      const holder = (await files.createLocked(`${dir}/file`, octets("words")))!;
      assert.equal(fs.readFileSync(`${dir}/file`, "latin1"), "words");
      assert.equal(fs.statSync(`${dir}/file`).mode & 0o777, 0o600);
      await rejects(files.createLocked(`${dir}/file`, octets("words")), "exists");
      const [one, two] = [await files.open(`${dir}/file`), await files.open(`${dir}/file`)];
      assert.equal(await one.isUnlocked(), false);
      // And so it is for another process.
      const child = spawnSync("flock", ["-n", `${dir}/file`, "true"]);
      assert.equal(child.status, 1);
      holder.close();
      assert.equal(await one.isUnlocked(), true);
      assert.equal(await two.isUnlocked(), true);
      one.close();
      two.close();
    },
  },
  {
    name: "files: one of those who have a file open locks it until it closes it",
    play: async ({ files }, dir) => {
      fs.writeFileSync(`${dir}/file`, "words");
      const [one, other] = [await files.open(`${dir}/file`), await files.open(`${dir}/file`)];
      assert.equal(await one.lock(), true);
      assert.equal(await other.lock(), false);
      assert.equal(await other.isUnlocked(), false);
      assert.equal(spawnSync("flock", ["-n", `${dir}/file`, "true"]).status, 1);
      one.close();
      assert.equal(await other.lock(), true);
      other.close();
      assert.equal(spawnSync("flock", ["-n", `${dir}/file`, "true"]).status, 0);
    },
  },
  {
    name: "files: rename takes the place of what is there, and the file that was there lives on for who has it open",
    play: async ({ files }, dir) => {
      fs.writeFileSync(`${dir}/new`, "new");
      fs.writeFileSync(`${dir}/file`, "old");
      const old = await files.open(`${dir}/file`);
      await files.rename(`${dir}/new`, `${dir}/file`);
      assert.equal(fs.readFileSync(`${dir}/file`, "latin1"), "new");
      assert.equal(await readFile(old), "old");
      old.close();
      assert.deepEqual(await files.list(dir), ["file"]);
      await rejects(files.rename(`${dir}/none`, `${dir}/file`), "missing");
      assert.equal(fs.readFileSync(`${dir}/file`, "latin1"), "new");
    },
  },
  {
    name: "files: a file and the names in a directory are waited for until they are on disk",
    play: async ({ files }, dir) => {
      const file = await files.create(`${dir}/file`);
      await file.append(octets("text"));
      await file.sync();
      await files.syncDirectory(dir);
      file.close();
      await rejects(files.syncDirectory(`${dir}/none`), "missing");
      // A pipe is on no disk.
      spawnSync("mkfifo", [`${dir}/pipe`]);
      const open = fs.openSync(`${dir}/pipe`, "r+");
      const pipe = await files.open(`${dir}/pipe`);
      await rejects(pipe.sync(), "other");
      pipe.close();
      fs.closeSync(open);
    },
  },
  {
    name: "files: lstat does not follow a link, not even one to nothing",
    play: async ({ files }, dir) => {
      fs.writeFileSync(`${dir}/file`, "12345");
      fs.symlinkSync(`${dir}/none`, `${dir}/link`);
      assert.equal((await files.lstat(`${dir}/link`)).kind, "link");
      assert.deepEqual(await files.lstat(`${dir}/file`), await files.stat(`${dir}/file`));
      assert.equal((await files.lstat(dir)).kind, "directory");
      await rejects(files.lstat(`${dir}/none`), "missing");
    },
  },
  {
    name: "files: a checksum is the same for the same content, however it is cut, and another for each other content",
    play: async ({ files }) => {
      const valueOf = (...pieces: string[]) => {
        const checksum = files.newChecksum();
        for (const piece of pieces) checksum.push(octets(piece));
        return checksum.value;
      };
      const text = "a text of several words, ".repeat(20_000);
      const value = valueOf(text);
      for (const at of [0, 1, 7, 1000, text.length]) assert.equal(valueOf(text.slice(0, at), text.slice(at)), value);
      const others = [
        "",
        `${text}\0`,
        `\0${text}`,
        text.slice(1),
        text.slice(0, -1),
        text.replace("several", "sevfral"),
      ];
      const values = [text, ...others, "\0", "\0\0"].map((one) => valueOf(one));
      assert.equal(new Set(values).size, values.length);
    },
  },
  {
    name: "files: remove takes files of any size, links and directories, and does not mind what is gone",
    play: async ({ files }, dir) => {
      fs.mkdirSync(`${dir}/full/deep`, { recursive: true });
      fs.writeFileSync(`${dir}/full/deep/file`, "");
      fs.writeFileSync(`${dir}/kept`, "");
      fs.symlinkSync(`${dir}/kept`, `${dir}/link`);
      fs.writeFileSync(`${dir}/large`, new Uint8Array(2_000_000));
      for (const name of ["full", "link", "none", "large"]) await files.remove(`${dir}/${name}`);
      assert.deepEqual(await files.list(dir), ["kept"]);
      await rejects(files.list(`${dir}/none`), "missing");
    },
  },
  {
    name: "files: a log is made with mode 0640, appended to by all who have it open, and kept",
    play: async ({ files }, dir) => {
      const [one, other] = [await files.openLog(`${dir}/log`), await files.openLog(`${dir}/log`)];
      assert.equal(fs.statSync(`${dir}/log`).mode & 0o7777, 0o640 & ~process.umask());
      await one.append(octets("a"));
      await other.append(octets("b"));
      await one.append(octets("c"));
      one.close();
      other.close();
      const again = await files.openLog(`${dir}/log`);
      await again.append(octets("d"));
      again.close();
      assert.equal(fs.readFileSync(`${dir}/log`, "latin1"), "abcd");
    },
  },
  {
    name: "files: a full disk is kind no-space, for little and for much",
    play: async ({ files }) => {
      for (const size of [10, 100_000]) {
        const full = await files.openLog("/dev/full");
        await rejects(full.append(new Uint8Array(size)), "no-space");
        full.close();
      }
    },
  },

  // --- processes
  {
    name: "processes: exit statuses and signals, each child its own",
    play: async ({ processes }) => {
      const ends = await Promise.all(Array.from({ length: 40 }, async (_, number) => {
        const child = await processes.start(["/bin/sh", "-c", `exit ${number}`], {});
        child.closeStderr();
        return await child.ended;
      }));
      assert.deepEqual(ends, Array.from({ length: 40 }, (_, exit) => ({ exit })));
      for (const signal of ["SEGV", "TERM", "KILL"]) {
        const child = await processes.start(["/bin/sh", "-c", `kill -${signal} $$`], {});
        child.closeStderr();
        assert.deepEqual(await child.ended, { signal: `SIG${signal}` });
      }
    },
  },
  {
    name:
      "processes: a child leads a group and session of its own, with /dev/null and a pipe, and nothing more of ours",
    play: ({ processes, network }) =>
      withListener(network, async () => {
        // Once as it is, once by the shell.
        for (
          const words of [["python3", "-c", SELF_PORTRAIT], [
            "/bin/sh",
            "-c",
            `LEADER=$$ python3 -c '${SELF_PORTRAIT}'`,
          ]]
        ) {
          const child = await processes.start(words, {});
          const seen = JSON.parse(await stderrOf(child));
          assert.deepEqual([seen.group, seen.session], [seen.leader, seen.leader]);
          assert.deepEqual([seen.input, seen.output], ["/dev/null", "/dev/null"]);
          assert.match(seen.error, /^pipe:/);
          assert.deepEqual(seen.others, []);
          assert.deepEqual(seen.signals, { SigBlk: 0, SigIgn: 0 });
          await child.ended;
        }
      }),
  },
  {
    name: "processes: a child can open its standard error by each of its names",
    play: async ({ processes }) => {
      const names = ["/dev/stderr", "/dev/fd/2", "/proc/self/fd/2"];
      const command = names.map((name) => `echo ${name} > ${name}`).join("; ");
      const child = await processes.start(["/bin/sh", "-c", `${command}; echo end | tee /dev/stderr`], {});
      assert.equal(await stderrOf(child), `${names.join("\n")}\nend\n`);
      assert.deepEqual(await child.ended, { exit: 0 });
    },
  },
  {
    name: "processes: no descriptor is left open, whether standard error was read to its end or not",
    play: async ({ processes }) => {
      const open = () => fs.readdirSync("/proc/self/fd").length;
      const run = async (command: string, read: boolean) => {
        const child = await processes.start(["/bin/sh", "-c", command], {});
        if (read) await stderrOf(child);
        await child.ended;
        child.closeStderr();
        child.signalGroup("SIGKILL");
      };
      await run("exit 0", true);
      const before = open();
      for (let count = 0; count < 20; count++) {
        await run("echo some >&2", true);
        await run("exec 2>&-", true);
        await run("head -c 30000 /dev/zero >&2", false);
        await run("sleep 100 &", false);
      }
      await until(() => open() <= before, "its descriptors to be closed");
    },
  },
  {
    name: "processes: the environment is ours and what is added, octet for octet",
    play: async ({ processes }) => {
      const hostile = "a'b\"c $(d) `e` %s \\ \u00e9 \n f";
      const child = await processes.start(["/bin/sh", "-c", 'printf "%s|%s" "$ADDED" "$PATH" >&2'], { ADDED: hostile });
      const heard = Buffer.from(await stderrOf(child), "latin1").toString("utf8");
      assert.equal(heard, `${hostile}|${process.env["PATH"]}`);
    },
  },
  {
    name: "processes: standard error is read to its end, even if it is long",
    play: async ({ processes }) => {
      const child = await processes.start(["/bin/sh", "-c", "head -c 4000000 /dev/zero >&2; echo end >&2"], {});
      assert.equal((await stderrOf(child)).slice(4_000_000), "end\n");
      assert.deepEqual(await child.ended, { exit: 0 });
    },
  },
  {
    name: "processes: standard error that another process holds open after the end of the child is read on",
    play: async ({ processes }, dir) => {
      const script = '{ until [ -e "$0" ]; do sleep 0.02; done; echo later >&2; } & echo now >&2';
      const child = await processes.start(["/bin/sh", "-c", script, `${dir}/go`], {});
      assert.deepEqual(await child.ended, { exit: 0 });
      assert.equal(spelled((await child.readStderr())!), "now\n");
      const later = child.readStderr();
      fs.writeFileSync(`${dir}/go`, "");
      assert.equal(spelled((await later)!), "later\n");
      assert.equal(await child.readStderr(), null);
    },
  },
  {
    name: "processes: a child whose standard error nobody reads has to wait",
    play: async ({ processes }) => {
      const child = await processes.start(["/bin/sh", "-c", "head -c 20000000 /dev/zero >&2"], {});
      const early = await Promise.race([child.ended, pause(300)]);
      assert.equal(early, undefined);
      assert.equal((await stderrOf(child)).length, 20_000_000);
      assert.deepEqual(await child.ended, { exit: 0 });
    },
  },
  {
    name: "processes: a child whose standard error is no longer read comes to its end",
    play: async ({ processes }) => {
      const child = await processes.start(["/bin/sh", "-c", "head -c 4000000 /dev/zero >&2"], {});
      await child.readStderr();
      child.closeStderr();
      child.closeStderr();
      assert.ok("exit" in await child.ended);
    },
  },
  {
    name: "processes: a signal reaches the whole group, and a group that is gone is no error",
    play: async ({ processes }) => {
      const child = await processes.start(["/bin/sh", "-c", "sleep 100 & echo $! >&2; wait"], {});
      const grandchild = Number(spelled((await child.readStderr())!));
      assert.ok(isRunning(grandchild));
      child.signalGroup("SIGTERM");
      assert.deepEqual(await child.ended, { signal: "SIGTERM" });
      child.closeStderr();
      await until(() => !isRunning(grandchild), "the end of the grandchild");
      child.signalGroup("SIGKILL");
    },
  },
  {
    name: "processes: what a leader left behind is killed with its group",
    play: async ({ processes }) => {
      const child = await processes.start(["/bin/sh", "-c", "sleep 100 2>/dev/null & echo $! >&2"], {});
      const left = Number(spelled((await child.readStderr())!));
      assert.ok(child.hasGroup());
      assert.deepEqual(await child.ended, { exit: 0 });
      assert.ok(isRunning(left));
      assert.ok(child.hasGroup());
      child.signalGroup("SIGKILL");
      child.closeStderr();
      await until(() => !isRunning(left), "the end of the child");
      await until(() => !child.hasGroup(), "the end of the group");
    },
  },
  {
    name: "processes: one that talks reads what is written, answers, and ends with the end of its input",
    play: async ({ processes }) => {
      const child = await processes.startTalking(["/bin/sh", "-c", "while read line; do echo $line; done; exit 7"]);
      const large = `${"x".repeat(200_000)}\n`;
      for (const line of ["one\n", large, "two\n"]) {
        const written = child.write(octets(line));
        let heard = "";
        while (!heard.endsWith("\n")) heard += spelled((await child.readStdout())!);
        await written;
        assert.ok(heard === line, heard.slice(0, 100));
      }
      child.hangUp();
      assert.deepEqual(await child.ended, { exit: 7 });
      child.closeStderr();
    },
  },
  {
    name: "processes: a write to one that has ended is over at once, and what it said can still be read",
    play: async ({ processes }) => {
      const child = await processes.startTalking(["/bin/sh", "-c", "echo last; echo err >&2; exit 3"]);
      assert.deepEqual(await child.ended, { exit: 3 });
      assert.equal(spelled((await child.readStdout())!), "last\n");
      assert.equal(await child.readStdout(), null);
      assert.equal(spelled((await child.readStderr())!), "err\n");
      // It returns, or it throws as Deno's does.
      await child.write(octets("x".repeat(200_000))).catch((error) => assert.ok(error instanceof IoError));
      child.hangUp();
      child.closeStderr();
    },
  },
  {
    name: "processes: a write to one that does not read waits, and is over when its group is killed",
    play: async ({ processes }) => {
      const child = await processes.startTalking(["/bin/sh", "-c", "sleep 100 & wait"]);
      const outcome = child.write(new Uint8Array(2_000_000)).then(() => "written", (error) => error);
      const early = await Promise.race([outcome, new Promise((resolve) => setTimeout(resolve, 200, "waits"))]);
      assert.equal(early, "waits");
      child.signalGroup("SIGKILL");
      child.hangUp();
      assert.deepEqual(await child.ended, { signal: "SIGKILL" });
      assert.ok(await outcome instanceof IoError);
      child.closeStderr();
    },
  },
  {
    name: "processes: a signal right after the start is not lost",
    play: async ({ processes }) => {
      for (let count = 0; count < 20; count++) {
        const child = await processes.start(["/bin/sh", "-c", "sleep 100"], {});
        child.signalGroup("SIGKILL");
        child.closeStderr();
        assert.deepEqual(await child.ended, { signal: "SIGKILL" });
      }
    },
  },

  // --- clock
  {
    name: "machineTime: all processes share it",
    play: async ({ machineTime }) => {
      const ask = async () => {
        const { line, end } = startPython("import time; print(time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000)");
        const time = Number(await line());
        await end();
        return time;
      };
      const [before, ours, after] = [await ask(), await machineTime(), await ask()];
      assert.ok(ours !== undefined && before <= ours && ours <= after, `${before} ${ours} ${after}`);
    },
  },
  {
    name: "variable: the value of a variable, or that there is none",
    play: async ({ variable }) => {
      assert.equal(variable("PATH"), process.env["PATH"]);
      assert.equal(variable("POSTPROX_TEST_NONE"), undefined);
    },
  },
  {
    name: "clock: now goes on, after runs once, and can be called off",
    play: async ({ clock }) => {
      const start = clock.now();
      let ran = 0;
      const cancel = clock.after(10, () => ran += 100);
      clock.after(20, () => ran += 1);
      cancel();
      await pause(80);
      assert.equal(ran, 1);
      assert.ok(clock.now() - start >= 75);
    },
  },
  {
    name: "turn: work that shares it looks at the sockets in each turn, while a file is written",
    play: ({ clock, files, network, turn }, dir) =>
      withListener(network, async (listener, port) => {
        const conn = await network.connect({ transport: "tcp", host: "127.0.0.1", port }, CONNECT_LIMIT);
        const far = await listener.accept();
        const file = await files.create(`${dir}/written`);
        let writing = Promise.resolve();
        for (let round = 0; round < 10; round++) {
          let hasHeard = false;
          void far.read(new Uint8Array(10)).then(() => hasHeard = true);
          let turns = 0;
          for (; turns < 200 && !hasHeard; turns++) {
            for (const start = clock.now(); clock.now() - start < 1;);
            await writing;
            writing = file.append(new Uint8Array(100_000));
            if (turns === 5) await conn.write(octets("x"));
            await turn.share();
          }
          assert.ok(turns < 25, `${turns} turns until a peer was heard`);
        }
        await writing;
        for (const one of [conn, far, file]) one.close();
      }),
  },
];

// A child's view of itself. Python ignores SIGPIPE, and gives it back to its own children; signals from 32 on are libc's.
const SELF_PORTRAIT = `
import glob, json, os, re, subprocess, sys
pid = os.getpid()
paths = [path for path in glob.glob("/proc/self/fd/*") if os.path.lexists(path) and path[-2:] not in ("/0", "/1", "/2")]
links = [os.readlink(path) for path in paths]
status = subprocess.run(["cat", "/proc/self/status"], capture_output=True, text=True).stdout
json.dump({
    "leader": int(os.environ.get("LEADER", pid)), "group": os.getpgid(0), "session": os.getsid(0), "others": links,
    "input": os.readlink("/proc/self/fd/0"), "output": os.readlink("/proc/self/fd/1"), "error": os.readlink("/proc/self/fd/2"),
    "signals": {name: int(mask, 16) & 0x7fffffff for name, mask in re.findall(r"(SigBlk|SigIgn):\\s*([0-9a-f]+)", status)},
}, sys.stderr)
`;

// --- the two kinds of connection

type Play = (conn: Conn, peer: Socket) => Promise<void>;

async function acceptsFive(listener: Listener, port: number): Promise<void> {
  const peers = [];
  for (let count = 0; count < 5; count++) {
    const peer = connect(port, "127.0.0.1");
    peer.on("error", () => {});
    await once(peer, "connect");
    peer.write(String(count));
    peers.push(peer);
  }
  for (let count = 0; count < 5; count++) {
    const conn = await listener.accept();
    assert.equal(conn.peer, "127.0.0.1");
    assert.equal(await readText(conn, 1), String(count));
    conn.close();
  }
  for (const peer of peers) peer.destroy();
}

/** How many descriptors of a child are a socket at that port. */
async function socketsOfChild(processes: Runtime["processes"], port: number): Promise<number> {
  const look = `import os, socket, sys
for name in os.listdir("/proc/self/fd"):
    try: print(socket.socket(fileno=os.dup(int(name))).getsockname(), file=sys.stderr)
    except OSError: pass
print("done", file=sys.stderr)`;
  const child = await processes.start(["python3", "-c", look], {});
  let said = "";
  for (let chunk = await child.readStderr(); chunk; chunk = await child.readStderr()) said += spelled(chunk);
  assert.match(said, /done\n$/);
  return said.split(String(port)).length - 1;
}

/** What a peer hears until its connection ends in any way. */
function peerHears(peer: Socket): Promise<string> {
  return new Promise((resolve) => {
    let heard = "";
    peer.on("data", (chunk: Uint8Array) => heard += spelled(chunk));
    peer.on("error", () => {});
    peer.on("close", () => resolve(heard));
  });
}

/** What `close` of a listener promises. */
function closing(
  how: string,
  withIt: (runtime: Runtime, play: (listener: Listener, port: number) => Promise<void>) => Promise<void>,
): ContractCase[] {
  return [
    {
      name: `${how}: a connection that was accepted before close is given out after it, and is usable`,
      play: (runtime) =>
        withIt(runtime, async (listener, port) => {
          const peers = [1, 2, 3].map(() => connect(port, "127.0.0.1"));
          const heard = peers.map(peerHears);
          await Promise.all(peers.map((peer) => once(peer, "connect")));
          await pause(50);
          listener.close();
          let given = 0;
          const end = await (async () => {
            for (;; given++) {
              const conn = await listener.accept();
              await conn.write(octets("hello"));
              conn.close();
            }
          })().catch((error) => error);
          assert.equal((end as IoError).kind, "closed");
          // Deno itself accepts only when it is asked.
          assert.equal(given, "Bun" in globalThis || how === "inherited" ? 3 : 0);
          const hellos = (await Promise.all(heard)).filter((text) => text === "hello");
          assert.equal(hellos.length, given);
        }),
    },
  ];
}

function bothSides(name: string, play: Play): ContractCase[] {
  return [
    {
      name: `connected: ${name}`,
      play: ({ network }) =>
        withServer(async (port, accepted) => {
          const conn = await network.connect({ transport: "tcp", host: "127.0.0.1", port }, CONNECT_LIMIT);
          await playAndClose(play, conn, await accepted());
        }),
    },
    {
      name: `accepted: ${name}`,
      play: ({ network }) =>
        withListener(network, async (listener, port) => {
          const peer = connect({ port, host: "127.0.0.1", allowHalfOpen: true });
          await playAndClose(play, await listener.accept(), peer);
        }),
    },
    {
      name: `inherited: ${name}`,
      play: ({ network }) =>
        withInherited(network, async (listener, port) => {
          const peer = connect({ port, host: "127.0.0.1", allowHalfOpen: true });
          await playAndClose(play, await listener.accept(), peer);
        }),
    },
  ];
}

/** A worker that accepts connections as it is told. */
const WORKER = `
import os, socket, sys
server = socket.socket(fileno=int(os.environ["POSTPROX_WORKER"]))
server.setblocking(True)
for line in sys.stdin:
    conn, _ = server.accept()
    conn.sendall(b"hello")
    conn.close()
    print("accepted", line.split()[1], flush=True)
`;

/** Variables that only a supervisor may have. */
const SUPERVISORS = [
  ["NOTIFY_SOCKET", "/run/notify"],
  ["WATCHDOG_USEC", "1"],
  ["LISTEN_FDS", "1"],
  ["LISTEN_PID", "1"],
] as const;

/** Reads until `end` has come, or to the end. */
function newReader(read: () => Promise<Uint8Array | null>): (end: string) => Promise<string> {
  return async (end) => {
    let text = "";
    while (end === "" || !text.endsWith(end)) {
      const piece = await read();
      if (piece === null) break;
      text += spelled(piece);
    }
    return text;
  };
}

/** Listening sockets that this process was started with (with_sockets.py). Each is used once. */
const INHERITED = (process.env.SOCKETS ?? "").split(",").map((pair) => pair.split(":").map(Number));

export const SOCKETS_WANTED = 20;

async function withInherited(
  network: Runtime["network"],
  play: (listener: Listener, port: number) => Promise<void>,
): Promise<void> {
  const [fd = -1, port = 0] = INHERITED.shift() ?? [];
  const listener = await network.listenInherited(fd);
  try {
    await play(listener, port);
  } finally {
    listener.close();
  }
}

async function playAndClose(play: Play, conn: Conn, peer: Socket): Promise<void> {
  peer.on("error", () => {});
  peer.setNoDelay(true);
  try {
    await play(conn, peer);
  } finally {
    conn.close();
    peer.destroy();
  }
}

async function withServer(play: (port: number, accepted: () => Promise<Socket>) => Promise<void>): Promise<void> {
  const sockets: Socket[] = [];
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    socket.on("error", () => {});
    sockets.push(socket);
  });
  const port = await listening(server);
  try {
    await play(port, async () => {
      await until(() => sockets.length > 0, "a connection");
      return sockets[0]!;
    });
  } finally {
    for (const socket of sockets) socket.destroy();
    server.close();
  }
}

async function withListener(
  network: Runtime["network"],
  play: (listener: Listener, port: number) => Promise<void>,
): Promise<void> {
  const port = await freePort();
  const listener = await network.listen({ transport: "tcp", host: "127.0.0.1", port });
  try {
    await play(listener, port);
  } finally {
    listener.close();
  }
}

async function listening(server: Server): Promise<number> {
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const bound = server.address();
  if (bound === null || typeof bound === "string") throw new Error("no port");
  return bound.port;
}

// --- python3

interface Python {
  line(): Promise<string>;
  /** All that it prints, when it has ended. */
  rest(): Promise<string>;
  say(text: string): void;
  end(): Promise<void>;
}

function startPython(script: string): Python {
  const child = spawn("python3", ["-c", script], { stdio: ["pipe", "pipe", "inherit"] });
  let said = "";
  const ended = once(child, "close");
  child.stdout.setEncoding("utf8").on("data", (chunk: string) => said += chunk);
  return {
    line: async () => {
      await until(() => said.includes("\n"), "a line");
      return said.slice(0, said.indexOf("\n"));
    },
    rest: async () => {
      await ended;
      return said.slice(said.indexOf("\n") + 1);
    },
    say: (text) => void child.stdin.write(text),
    end: async () => {
      child.stdin.end();
      await ended;
    },
  };
}

// Stands in for a syslog daemon that takes `count` datagrams after a while, and then leaves.
async function startSyslog(path: string, count: number, delay = 0): Promise<{ received(): Promise<string[]> }> {
  const daemon = startPython(`
import json, socket, time
server = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
server.bind("${path}")
print("ready", flush=True)
time.sleep(${delay})
print(json.dumps([server.recv(9000).decode("latin-1") for _ in range(${count})]), flush=True)
`);
  await daemon.line();
  return { received: async () => JSON.parse(await daemon.rest()) };
}

// --- small things

async function rejects(promise: Promise<unknown> | undefined, ...kinds: IoErrorKind[]): Promise<IoError> {
  let result: unknown;
  try {
    result = await promise;
  } catch (error) {
    assert.ok(error instanceof IoError, `not an IoError: ${error}`);
    assert.ok(kinds.includes(error.kind), `kind ${error.kind} instead of ${kinds.join(" or ")}: ${error.message}`);
    return error;
  }
  throw new Error(`did not fail with ${kinds.join(" or ")}: ${result}`);
}

async function readOctets(conn: Conn, count: number): Promise<Uint8Array> {
  const whole = new Uint8Array(count);
  for (let got = 0; got < count;) {
    const more = await conn.read(whole.subarray(got));
    if (more === null) throw new Error(`the end came after ${got} of ${count} octets`);
    got += more;
  }
  return whole;
}

async function readText(conn: Conn, count: number): Promise<string> {
  return spelled(await readOctets(conn, count));
}

async function readFile(
  file: { read(into: Uint8Array, at: number): Promise<number | null> },
  size = 65536,
): Promise<string> {
  const into = new Uint8Array(size);
  let whole = "";
  for (let count; (count = await file.read(into, whole.length)) !== null;) whole += spelled(into.subarray(0, count));
  return whole;
}

async function stderrOf(child: Child): Promise<string> {
  const chunks: Uint8Array[] = [];
  for (let chunk = await child.readStderr(); chunk !== null; chunk = await child.readStderr()) {
    chunks.push(chunk.slice());
  }
  return Buffer.concat(chunks).toString("latin1");
}

function peerReads(peer: Socket, count: number): Promise<string> {
  return new Promise((resolve, reject) => {
    const chunks: Uint8Array[] = [];
    let got = 0;
    peer.on("data", (chunk: Uint8Array) => {
      chunks.push(chunk);
      got += chunk.length;
      if (got >= count) resolve(Buffer.concat(chunks).toString("latin1"));
    });
    peer.on("close", () => reject(new Error(`the peer got ${got} of ${count} octets`)));
  });
}

function peerReadsAll(peer: Socket): Promise<string> {
  return new Promise((resolve) => {
    const chunks: Uint8Array[] = [];
    peer.on("data", (chunk: Uint8Array) => chunks.push(chunk));
    peer.on("end", () => resolve(Buffer.concat(chunks).toString("latin1")));
  });
}

// Octets without a short period, so that a lost or doubled piece shows.
function pattern(length: number): Uint8Array {
  return Uint8Array.from({ length }, (_, at) => (at * 31 + (at >> 8) * 7 + (at >> 16)) & 0xff);
}

function isRunning(pid: number): boolean {
  try {
    return !/^State:\s+[ZX]/m.test(fs.readFileSync(`/proc/${pid}/status`, "utf8"));
  } catch {
    return false;
  }
}

function pause(delay: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, delay));
}
