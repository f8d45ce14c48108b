// A small program on a runtime adapter, for cases that need a process of their own. Its first word says what it does.

import process from "node:process";
import { IoError } from "../../lib/ports/io_error.ts";
import type { Conn, File, Runtime } from "../../lib/ports/runtime.ts";
import { textOf } from "../../lib/text/octets.ts";
import { adapter } from "./adapter.ts";

const runtime = await adapter();
const [role = "", ...words] = process.argv.slice(2);

const ROLES: Readonly<Record<string, (runtime: Runtime, words: readonly string[]) => Promise<number>>> = {
  // Sends back what it reads, until the end; then says how it ended, in the file that is named.
  echo: async (runtime, [file = ""]) => {
    const conn = runtime.stdio.conn();
    const into = new Uint8Array(65536);
    try {
      for (let count = await conn.read(into); count !== null; count = await conn.read(into)) {
        await conn.write(into.subarray(0, count));
      }
      await note(runtime, file, "end");
    } catch (error) {
      await note(runtime, file, error instanceof IoError ? error.kind : String(error));
    }
    conn.close();
    return 3;
  },

  // Reads nothing until it was told so; the count of octets that came, in the file.
  late: async (runtime, [file = ""]) => {
    const conn = runtime.stdio.conn();
    await conn.write(octets("ready\n"));
    await new Promise((resolve) => setTimeout(resolve, 500));
    const into = new Uint8Array(65536);
    let total = 0;
    for (let count = await conn.read(into); count !== null; count = await conn.read(into)) total += count;
    await note(runtime, file, String(total));
    return 0;
  },

  // Writes much at once and ends.
  flood: async (runtime, [size = "0"]) => {
    const conn: Conn = runtime.stdio.conn();
    await conn.write(new Uint8Array(Number(size)).fill(0x78));
    return 0;
  },

  // Closes under a read that waits.
  close: async (runtime, [file = ""]) => {
    const conn = runtime.stdio.conn();
    const reading = conn.read(new Uint8Array(10));
    const ended = reading.then(String, (error) => error.kind);
    await conn.write(octets("ready\n"));
    conn.close();
    await note(runtime, file, await ended);
    return 0;
  },

  spawned: async (runtime, [file = ""]) => {
    await note(runtime, file, String(runtime.stdio.isSpawned()));
    return 0;
  },

  // These fail when no descriptor is left.
  exhausted: async (runtime, [path = ""]) => {
    runtime.signals.on("SIGTERM", () => {});
    const held: File[] = [];
    const says: string[] = [];
    const attempt = async (what: string, doing: Promise<unknown>) => {
      says.push(`${what}: ${await doing.then(() => "done", (error) => (error as IoError).kind)}\n`);
    };
    const { network, files, processes } = runtime;
    // From source, the code that listens is a file that must be opened once.
    (await network.listen({ transport: "unix", path: `${path}.first` })).close();
    try {
      for (;;) held.push(await files.open("/dev/null"));
    } catch {
      // That was the last one.
    }
    for (const host of ["127.0.0.1", "localhost"]) {
      await attempt(host, network.connect({ transport: "tcp", host, port: 9 }, 5000));
    }
    await attempt("unix", network.connect({ transport: "unix", path }, 5000));
    await attempt("listen", network.listen({ transport: "unix", path: `${path}.own` }));
    await attempt("datagrams", network.datagrams(path));
    await attempt("udp", network.udp({ address: "127.0.0.1", port: 9 }));
    await attempt("start", processes.start(["/bin/true"], {}));
    for (const file of held) file.close();
    runtime.stdio.writeOut(says.join(""));
    return 0;
  },

  // The environment of a child, on standard output in octal, with a variable added.
  environment: async (runtime, [name = "", value = "", ...words]) => {
    const child = await runtime.processes.start(words, { [name]: value });
    for (let chunk = await child.readStderr(); chunk !== null; chunk = await child.readStderr()) {
      runtime.stdio.writeOut(textOf(chunk));
    }
    return 0;
  },

  // The descriptors of a child, on standard output; one is that of the directory itself.
  descriptors: async (runtime) => {
    const child = await runtime.processes.start(["/bin/sh", "-c", "exec ls /proc/self/fd >&2"], {});
    for (let chunk = await child.readStderr(); chunk !== null; chunk = await child.readStderr()) {
      runtime.stdio.writeOut(textOf(chunk));
    }
    return 0;
  },

  say: async (runtime, [out = "", err = ""]) => {
    runtime.stdio.writeOut(out.repeat(100_000));
    runtime.stdio.writeErr(err.repeat(100_000));
    return 5;
  },

  // Appends much to standard error, and says meanwhile that it is alive.
  append: async (runtime, [size = "0"]) => {
    const writing = runtime.stdio.appendErr(new Uint8Array(Number(size)).fill(0x78))
      .then(() => "done", (error) => error.kind);
    await new Promise((resolve) => setTimeout(resolve, 50));
    runtime.stdio.writeOut("alive\n");
    runtime.stdio.writeOut(`${await writing}\n`);
    return 0;
  },

  journal: async (runtime) => {
    runtime.stdio.writeOut(String(runtime.stdio.isErrJournal()));
    return 0;
  },

  terminal: async (runtime) => {
    runtime.stdio.writeOut(String(runtime.stdio.isOutTerminal()));
    return 0;
  },

  // Says what signals and bugs come.
  events: async (runtime) => {
    for (const signal of ["SIGTERM", "SIGINT", "SIGHUP"] as const) {
      runtime.signals.on(signal, () => runtime.stdio.writeOut(`${signal}\n`));
    }
    runtime.onBug((error) => runtime.stdio.writeOut(`bug ${(error as Error).message}\n`));
    setTimeout(() => {
      throw new Error("thrown");
    });
    void Promise.reject(new Error("rejected"));
    await new Promise((resolve) => setTimeout(resolve, 50));
    runtime.stdio.writeOut("ready\n");
    await new Promise((resolve) => setTimeout(resolve, 10_000));
    return 0;
  },

  // Sends one datagram and is gone.
  syslog: async (runtime, [path = ""]) => {
    const sender = await runtime.network.datagrams(path);
    await sender.send(octets("last words"));
    return runtime.exit(0);
  },

  // Starts itself in the background.
  start: async (runtime, words) => {
    const self = await runtime.processes.startSelf(words, "stdout");
    let said = "";
    for await (const chunk of self.stdout) {
      said += textOf(chunk);
      if (/^[0-9]+ .*\n/m.test(said)) {
        self.release();
        runtime.stdio.writeOut(said);
        return 0;
      }
    }
    runtime.stdio.writeErr(said);
    const end = await self.ended;
    return "exit" in end ? end.exit : 1;
  },
  background: async (runtime, [word]) => {
    if (word === "fail") {
      runtime.stdio.writeErr("cannot start\n");
      return 7;
    }
    runtime.stdio.writeErr("about to start\n");
    runtime.stdio.writeOut(`${runtime.pid} ${word}\n`);
    await new Promise((resolve) => setTimeout(resolve, 20_000));
    return 0;
  },

  // Connects and prints the peer, or why it cannot.
  connect: async (runtime, [host = "", port = "", limit = "5000"]) => {
    try {
      const conn = await runtime.network.connect({ transport: "tcp", host, port: Number(port) }, Number(limit));
      const into = new Uint8Array(100);
      const count = await conn.read(into);
      runtime.stdio.writeOut(`${conn.peer} says ${new TextDecoder().decode(into.subarray(0, count ?? 0))}\n`);
    } catch (error) {
      const { kind, message } = error as IoError;
      runtime.stdio.writeOut(`${kind}: ${message}\n`);
    }
    return 0;
  },
};

function octets(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

async function note(runtime: Runtime, path: string, text: string): Promise<void> {
  const file = await runtime.files.openLog(path);
  await file.append(octets(text));
  file.close();
}

const status = await ROLES[role]!(runtime, words);
runtime.exit(status);
