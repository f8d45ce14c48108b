// The runtime ports on Deno 2.9. The only file that says `Deno.`.
//
// Metadata operations on files (create, stat, remove) are made synchronously: on a local disk they take a few
// microseconds, of which the way to Deno's thread pool and back would take thirty. Content is written and read through
// that pool. A read from standard input cannot be cancelled, so `close` on stdio leaves it behind; the process ends.
//
// Known gap: an environment variable is UTF-8 text here, so octets that are not UTF-8 reach a filter as U+FFFD.

import { IoError, kindOfCode } from "./io_error.ts";
import { Timers } from "./timers.ts";
import type {
  Address,
  BackgroundSelf,
  Child,
  Conn,
  DatagramSender,
  File,
  FileFacts,
  Listener,
  ProcessEnd,
  Runtime,
} from "./ports.ts";

export function denoRuntime(): Runtime {
  return {
    pid: Deno.pid,
    clock: { now: () => performance.now(), after },
    network: { connect, listen, datagrams },
    files: { create, open, openLog, stat, remove, list },
    processes: { start, startSelf, selfWords, isAlive },
    signals: { on: (signal, handler) => Deno.addSignalListener(signal, handler) },
    stdio: {
      conn: () => new StdioConn(),
      isSpawned,
      writeOut: (text) => writeSync(Deno.stdout, text),
      writeErr: (text) => writeSync(Deno.stderr, text),
    },
    exit: (status) => Deno.exit(status),
    onBug: (report) => {
      globalThis.addEventListener("error", (event) => {
        event.preventDefault();
        report(event.error);
      });
      globalThis.addEventListener("unhandledrejection", (event) => {
        event.preventDefault();
        report(event.reason);
      });
    },
  };
}

// setTimeout would do, but its first call loads Deno's copy of Node's timers, which takes longer than all else in a
// session. The alarm cannot be taken back and does not keep the program alive; a pending operation does, or a listener.
const timers = new Timers(() => performance.now(), (delay, ring) => {
  AbortSignal.timeout(delay).addEventListener("abort", ring);
});

function after(delay: number, callback: () => void): () => void {
  return timers.after(delay, callback);
}

// --- network

async function connect(to: Address, limit: number): Promise<Conn> {
  const where = to.transport === "unix" ? to.path : `${to.host}:${to.port}`;
  const connecting = to.transport === "unix"
    ? Deno.connect({ transport: "unix", path: to.path })
    : Deno.connect({ hostname: to.host, port: to.port });
  const late = Promise.withResolvers<never>();
  const cancel = after(limit, () => {
    late.reject(new IoError("timeout", `no connection to ${where} within ${limit / 1000} s`));
    connecting.then((conn) => conn.close(), () => {});
  });
  try {
    return tuned(await Promise.race([connecting, late.promise]));
  } catch (error) {
    throw ioError(error, `cannot connect to ${where}`);
  } finally {
    cancel();
  }
}

async function listen(at: Address): Promise<Listener> {
  try {
    const listener = at.transport === "unix"
      ? Deno.listen({ transport: "unix", path: at.path })
      : Deno.listen({ hostname: at.host, port: at.port });
    // Keeps the program alive while it waits for nothing but time, as it does when an accept has failed.
    const alive = setInterval(() => {}, 1 << 30);
    return {
      accept: async () => {
        try {
          return tuned(await listener.accept());
        } catch (error) {
          throw ioError(error, "cannot accept a connection");
        }
      },
      close: () => {
        clearInterval(alive);
        listener.close();
      },
    };
  } catch (error) {
    throw ioError(error, `cannot listen at ${at.transport === "unix" ? at.path : `${at.host}:${at.port}`}`);
  }
}

// Replies are small and each is waited for: they leave at once.
function tuned(conn: Deno.Conn): Conn {
  try {
    if ("setNoDelay" in conn) (conn as Deno.TcpConn).setNoDelay(true);
    return new TcpOrUnixConn(conn);
  } catch (error) {
    conn.close();
    throw error;
  }
}

class TcpOrUnixConn implements Conn {
  readonly peer?: string;
  readonly #conn: Deno.Conn;

  constructor(conn: Deno.Conn) {
    this.#conn = conn;
    const from = conn.remoteAddr;
    if ("hostname" in from) this.peer = from.hostname;
  }

  read(into: Uint8Array): Promise<number | null> {
    return this.#conn.read(into).catch(failRead);
  }

  write(octets: Uint8Array): Promise<void> {
    return writeAll(this.#conn, octets).catch(failWrite);
  }

  close(): void {
    try {
      this.#conn.close();
    } catch (error) {
      // Closed already: that is what was asked for.
      if (!(error instanceof Deno.errors.BadResource)) throw error;
    }
  }
}

// A socket that its owner made non-blocking says "try again" where others wait.
const AGAIN_DELAY = 5;

/** Standard input and output. They cannot be closed under a call that waits, so that call is let go instead. */
class StdioConn implements Conn {
  readonly #waiting = new Set<(error: IoError) => void>();
  #closed = false;

  read(into: Uint8Array): Promise<number | null> {
    return this.#unlessClosed(() => patiently(() => Deno.stdin.read(into)).catch(failRead));
  }

  write(octets: Uint8Array): Promise<void> {
    const stdout = { write: (some: Uint8Array) => patiently(() => Deno.stdout.write(some)) };
    return this.#unlessClosed(() => writeAll(stdout, octets).catch(failWrite));
  }

  close(): void {
    this.#closed = true;
    for (const fail of this.#waiting) fail(CLOSED);
  }

  #unlessClosed<T>(call: () => Promise<T>): Promise<T> {
    if (this.#closed) return Promise.reject(CLOSED);
    return new Promise<T>((resolve, reject) => {
      this.#waiting.add(reject);
      call().then(resolve, reject).finally(() => this.#waiting.delete(reject));
    });
  }
}

const CLOSED = new IoError("closed", "standard input and output are closed");

async function writeAll(to: { write(octets: Uint8Array): Promise<number> }, octets: Uint8Array): Promise<void> {
  let written = await to.write(octets);
  while (written < octets.length) written += await to.write(octets.subarray(written));
}

async function patiently<T>(attempt: () => Promise<T>): Promise<T> {
  for (;;) {
    try {
      return await attempt();
    } catch (error) {
      if (!(error instanceof Deno.errors.WouldBlock)) throw error;
      await new Promise<void>((resolve) => after(AGAIN_DELAY, resolve));
    }
  }
}

function failRead(error: unknown): never {
  throw ioError(error, "cannot read");
}

function failWrite(error: unknown): never {
  throw ioError(error, "cannot write");
}

async function datagrams(path: string): Promise<DatagramSender> {
  try {
    // A name that is no file (unix(7), abstract). The kernel would choose one for the empty path, which Deno guards.
    const socket = Deno.listenDatagram({ transport: "unixpacket", path: `\0postprox-${crypto.randomUUID()}` });
    return {
      send: async (octets) => {
        try {
          await socket.send(octets, { transport: "unixpacket", path });
        } catch (error) {
          throw ioError(error, `cannot send to ${path}`);
        }
      },
    };
  } catch (error) {
    throw ioError(error, "cannot make a datagram socket");
  }
}

// --- files

async function create(path: string): Promise<File> {
  return openFile(path, { createNew: true, read: true, write: true, mode: 0o600 });
}

async function open(path: string): Promise<File> {
  return openFile(path, { read: true });
}

async function openLog(path: string): Promise<File> {
  return openFile(path, { append: true, create: true, mode: 0o640 });
}

function openFile(path: string, options: Deno.OpenOptions): File {
  try {
    return new DenoFile(path, Deno.openSync(path, options));
  } catch (error) {
    throw ioError(error, `cannot open ${path}`);
  }
}

class DenoFile implements File {
  readonly #path: string;
  readonly #file: Deno.FsFile;

  constructor(path: string, file: Deno.FsFile) {
    this.#path = path;
    this.#file = file;
  }

  async append(octets: Uint8Array): Promise<void> {
    try {
      for (let written = 0; written < octets.length;) {
        written += await this.#file.write(written === 0 ? octets : octets.subarray(written));
      }
    } catch (error) {
      throw ioError(error, `cannot write ${this.#path}`);
    }
  }

  async rewind(): Promise<void> {
    this.#file.seekSync(0, Deno.SeekMode.Start);
  }

  // What has just been written is in memory: waking a thread for it costs more than reading it.
  async read(into: Uint8Array): Promise<number | null> {
    try {
      return this.#file.readSync(into);
    } catch (error) {
      throw ioError(error, `cannot read ${this.#path}`);
    }
  }

  async stat(): Promise<FileFacts> {
    return factsOf(this.#file.statSync());
  }

  close(): void {
    this.#file.close();
  }
}

async function stat(path: string): Promise<FileFacts> {
  try {
    return factsOf(Deno.statSync(path));
  } catch (error) {
    throw ioError(error, `cannot look at ${path}`);
  }
}

function factsOf(info: Deno.FileInfo): FileFacts {
  const kind = info.isFile ? "file" : info.isDirectory ? "directory" : "other";
  return { kind, size: info.size, modified: info.mtime?.getTime() };
}

async function remove(path: string): Promise<void> {
  try {
    Deno.removeSync(path, { recursive: true });
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw ioError(error, `cannot remove ${path}`);
  }
}

async function list(directory: string): Promise<string[]> {
  try {
    return Array.from(Deno.readDirSync(directory), (entry) => entry.name);
  } catch (error) {
    throw ioError(error, `cannot list ${directory}`);
  }
}

// --- processes

async function start(words: readonly string[], environment: Readonly<Record<string, string>>): Promise<Child> {
  const child = spawnGroupLeader(words, environment);
  const stderr = child.stderr.getReader();
  let over = false;
  const ended = child.status.then((status) => {
    over = true;
    return endOf(status);
  });
  return {
    ended,
    readStderr: async () => (await stderr.read()).value ?? null,
    closeStderr: () => void stderr.cancel().catch(() => {}),
    signalGroup: (signal) => {
      try {
        Deno.kill(-child.pid, signal);
      } catch {
        // Nobody is left in the group, which is what the signal was for; or setsid(1) has not made it yet.
        if (!over) killAlone(child, signal);
      }
    },
  };
}

function killAlone(child: Deno.ChildProcess, signal: Deno.Signal): void {
  try {
    child.kill(signal);
  } catch {
    // It ended just now.
  }
}

// setsid(1) makes the process the leader of a group of its own and becomes the program. Deno's own way to do that,
// `detached`, has to fork this whole process and takes five times as long; it is for systems without util-linux.
function spawnGroupLeader(words: readonly string[], environment: Readonly<Record<string, string>>): Deno.ChildProcess {
  const options = { env: environment, stdin: "null", stdout: "null", stderr: "piped" } as const;
  try {
    return new Deno.Command("/usr/bin/setsid", { ...options, args: [...words] }).spawn();
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw ioError(error, "cannot run /usr/bin/setsid");
  }
  const [program = "", ...args] = words;
  try {
    return new Deno.Command(program, { ...options, args, detached: true }).spawn();
  } catch (error) {
    throw ioError(error, `cannot run ${program}`);
  }
}

async function startSelf(args: readonly string[], stderr: "pipe" | "inherit"): Promise<BackgroundSelf> {
  const [program, ...source] = ownWords();
  const child = new Deno.Command(program, {
    args: [...source, ...args],
    stdin: "null",
    stdout: "piped",
    stderr: stderr === "pipe" ? "piped" : "inherit",
    detached: true,
  }).spawn();
  return {
    ended: child.status.then(endOf),
    firstLine: readFirstLine(child.stdout),
    stderr: stderr === "pipe" ? new Response(child.stderr).text() : Promise.resolve(""),
    release: () => child.unref(),
  };
}

function selfWords(): readonly string[] {
  // Deno keeps compiled source there. Without it each start would compile anew.
  const cache = Deno.build.standalone ? undefined : Deno.env.get("DENO_DIR");
  return cache === undefined ? ownWords() : ["/usr/bin/env", `DENO_DIR=${cache}`, ...ownWords()];
}

function ownWords(): [string, ...string[]] {
  if (Deno.build.standalone) return [Deno.execPath()];
  const main = decodeURIComponent(new URL(Deno.mainModule).pathname);
  return [Deno.execPath(), "run", "--quiet", "--allow-all", "--unstable-net", main];
}

async function readFirstLine(stream: ReadableStream<Uint8Array>): Promise<string | undefined> {
  const decoder = new TextDecoder();
  let text = "";
  for await (const chunk of stream) {
    text += decoder.decode(chunk, { stream: true });
    if (text.includes("\n")) return text.slice(0, text.indexOf("\n"));
  }
  return undefined;
}

function endOf(status: Deno.CommandStatus): ProcessEnd {
  return status.signal === null ? { exit: status.code } : { signal: status.signal };
}

async function isAlive(pid: number): Promise<boolean> {
  try {
    // Signal 0 only asks (kill(2)).
    Deno.kill(pid, 0 as unknown as Deno.Signal);
    return true;
  } catch (error) {
    // Another user's may not be asked, but is there.
    return error instanceof Deno.errors.PermissionDenied;
  }
}

// --- the rest

function isSpawned(): boolean {
  try {
    const [input, output] = ["/dev/stdin", "/dev/stdout"].map((path) => Deno.statSync(path));
    return input!.isSocket === true && input!.ino === output!.ino && input!.dev === output!.dev;
  } catch (error) {
    return error instanceof Deno.errors.NotCapable && isSpawnedByTest();
  }
}

// Deno lets only a program with all permissions look into /dev, and an executable has but four. So test(1) looks.
function isSpawnedByTest(): boolean {
  const args = ["-S", "/dev/stdin", "-a", "/dev/stdin", "-ef", "/dev/stdout"];
  try {
    return new Deno.Command("/usr/bin/test", { args, stdin: "inherit", stdout: "inherit", stderr: "null" })
      .outputSync().success;
  } catch {
    return false;
  }
}

function writeSync(stream: { writeSync(octets: Uint8Array): number }, text: string): void {
  const octets = new TextEncoder().encode(text);
  for (let written = 0; written < octets.length;) written += stream.writeSync(octets.subarray(written));
}

// Linux's numbers of errors that Deno has no code for (errno(3)).
const CODES: Readonly<Record<string, string>> = { "27": "EFBIG", "122": "EDQUOT" };

function ioError(error: unknown, what: string): IoError {
  if (error instanceof IoError) return error;
  const { code, message } = error as { code?: string; message: string };
  const kind = error instanceof Deno.errors.BadResource || error instanceof Deno.errors.Interrupted
    ? "closed"
    : message.includes("lookup address")
    ? "unknown-host"
    : kindOfCode(code ?? CODES[/\(os error ([0-9]+)\)$/.exec(message)?.[1] ?? ""]);
  return new IoError(kind, `${what}: ${message}`, { cause: error });
}
