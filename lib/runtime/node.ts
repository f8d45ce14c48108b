// The runtime ports for the Bun executable. The only file that imports `node:` or `bun:` and says `Bun.`.
//
// Files and signals are node's. Sockets and processes are Bun's own, for spawn(8) pays for them with every message:
// node:net and node:child_process, which Bun builds on top of these, would double the 7 ms of CPU that a message takes.
// Datagrams to a unix socket, which neither has, are sent with libc's sendto(2).
//
// Reading from a socket runs at most one buffer of the kernel's ahead of `read`; then the socket is paused. Metadata
// operations on files are synchronous, as are small writes: a thread for them costs more than they do. A `read` from
// standard input that is no socket cannot be cancelled, so `close` leaves it behind; the process ends.
//
// Known gaps: an environment variable is UTF-8 text here. When the system has no descriptors left, Bun's accept says
// nothing and tries again and again, at the cost of a processor; connections wait in the queue until one is free.

import * as fs from "node:fs";
import process from "node:process";
import { IoError, kindOfCode } from "./io_error.ts";
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

export function nodeRuntime(): Runtime {
  return {
    pid: process.pid,
    clock: { now: () => performance.now(), after },
    network: { connect, listen, datagrams },
    files: { create, open, openLog, stat, remove, list },
    processes: { start, startSelf, selfWords, isAlive },
    signals: { on: (signal, handler) => void process.on(signal, handler) },
    stdio: {
      conn: stdioConn,
      isSpawned,
      writeOut: (text) => writeSync(1, text),
      writeErr: (text) => writeSync(2, text),
    },
    exit: (status) => process.exit(status),
    onBug: (report) => {
      process.on("uncaughtException", report);
      process.on("unhandledRejection", report);
    },
  };
}

function after(delay: number, callback: () => void): () => void {
  const timer = setTimeout(callback, delay);
  return () => clearTimeout(timer);
}

// --- what is used of Bun

interface BunApi {
  readonly main: string;
  connect(options: SocketOptions & { readonly data: SocketConn }): Promise<BunSocket>;
  listen(options: SocketOptions & { readonly exclusive: true }): { stop(closeConnections: boolean): void };
  spawn(options: {
    readonly cmd: readonly string[];
    readonly env?: Readonly<Record<string, string | undefined>>;
    readonly stdio: readonly ["ignore", "ignore" | "pipe", "pipe" | "inherit"];
    readonly detached: true;
  }): BunProcess;
  readonly dns: {
    lookup(host: string, options: { backend: "libc"; socketType: "tcp" }): Promise<readonly { address: string }[]>;
  };
  /** How much oftener than usual code runs before it is compiled to machine code. */
  readonly unsafe: { setJITPolicy(scale: number): void };
}

type SocketOptions =
  & { readonly allowHalfOpen: true; readonly socket: SocketHandlers }
  & ({ readonly hostname: string; readonly port: number } | { readonly unix: string } | { readonly fd: number });

interface SocketHandlers {
  open(socket: BunSocket): void;
  data(socket: BunSocket, octets: Uint8Array): void;
  drain(socket: BunSocket): void;
  end(socket: BunSocket): void;
  close(socket: BunSocket, error?: unknown): void;
  error(socket: BunSocket, error: unknown): void;
  connectError(socket: BunSocket, error: unknown): void;
}

interface BunSocket {
  data: SocketConn;
  readonly remoteAddress?: string;
  /** The count of octets that the kernel took; negative once the socket is closed. */
  write(octets: Uint8Array): number;
  pause(): void;
  resume(): void;
  close(): void;
}

interface BunProcess {
  readonly pid: number;
  readonly exited: Promise<number>;
  readonly signalCode: string | null;
  readonly stdout: ReadableStream<Uint8Array>;
  readonly stderr: ReadableStream<Uint8Array>;
  unref(): void;
}

const bun = (globalThis as unknown as { Bun: BunApi }).Bun;

// --- network

async function connect(to: Address, limit: number): Promise<Conn> {
  const where = to.transport === "unix" ? to.path : `${to.host}:${to.port}`;
  const late = Promise.withResolvers<never>();
  const state = { isLate: false };
  const timer = setTimeout(() => {
    state.isLate = true;
    late.reject(new IoError("timeout", `no connection to ${where} within ${limit / 1000} s`));
  }, limit);
  try {
    return await Promise.race([connectInTurn(to, state), late.promise]);
  } catch (error) {
    throw ioError(error, `cannot connect to ${where}`);
  } finally {
    clearTimeout(timer);
  }
}

// Bun would try the addresses of a host side by side, and so open several connections to a server.
async function connectInTurn(to: Address, state: { readonly isLate: boolean }): Promise<Conn> {
  if (to.transport === "unix") return await connectTo({ unix: to.path }, state);
  let failure: unknown = new IoError("unknown-host", `${to.host} has no address`);
  for (const hostname of await addressesOf(to.host)) {
    try {
      return await connectTo({ hostname, port: to.port }, state);
    } catch (error) {
      failure = error;
    }
    if (state.isLate) break;
  }
  throw failure;
}

async function connectTo(
  where: { hostname: string; port: number } | { unix: string },
  state: { readonly isLate: boolean },
): Promise<Conn> {
  const conn = new SocketConn();
  conn.attach(await bun.connect({ ...where, allowHalfOpen: true, data: conn, socket: HANDLERS }));
  if (state.isLate) conn.close();
  return conn;
}

const ADDRESS = /^[0-9]+\.[0-9]+\.[0-9]+\.[0-9]+$|:/;

async function addressesOf(host: string): Promise<string[]> {
  if (ADDRESS.test(host)) return [host];
  // libc's, as it knows /etc/hosts and nsswitch.conf.
  const found = await bun.dns.lookup(host, { backend: "libc", socketType: "tcp" });
  return Array.from(found, ({ address }) => address);
}

async function listen(at: Address): Promise<Listener> {
  const arrived: Conn[] = [];
  let waiter: { resolve: (conn: Conn) => void; reject: (error: unknown) => void } | undefined;
  let closed: IoError | undefined;
  const open = (socket: BunSocket) => {
    const conn = new SocketConn();
    conn.attach(socket);
    socket.data = conn;
    if (closed) conn.close();
    else if (waiter) waiter.resolve(conn);
    else arrived.push(conn);
    waiter = undefined;
  };
  const where = at.transport === "unix" ? { unix: at.path } : { hostname: at.host, port: at.port };
  // The executable starts with machine code put off, for a process that carries one message. A server wants it.
  bun.unsafe.setJITPolicy(1);
  try {
    // Not exclusive would be SO_REUSEPORT: a second program could take the same port.
    const listener = bun.listen({ ...where, allowHalfOpen: true, exclusive: true, socket: { ...HANDLERS, open } });
    return {
      accept: () => {
        const conn = arrived.shift();
        if (conn) return Promise.resolve(conn);
        if (closed) return Promise.reject(closed);
        return new Promise((resolve, reject) => waiter = { resolve, reject });
      },
      close: () => {
        closed = new IoError("closed", "cannot accept a connection: closed");
        listener.stop(false);
        waiter?.reject(closed);
        for (const conn of arrived.splice(0)) conn.close();
      },
    };
  } catch (error) {
    throw ioError(error, `cannot listen at ${at.transport === "unix" ? at.path : `${at.host}:${at.port}`}`);
  }
}

const HANDLERS: SocketHandlers = {
  open: () => {},
  data: (socket, octets) => socket.data.arrived(octets),
  drain: (socket) => socket.data.drained(),
  end: (socket) => socket.data.ended(),
  close: (socket, error) => socket.data.closed(error),
  // What is thrown in a handler comes here, and only that; so it shall reach `onBug`.
  error: (_socket, error) =>
    queueMicrotask(() => {
      throw error;
    }),
  // The promise of `connect` says the same.
  connectError: () => {},
};

/** A connection over a socket of Bun's, which pushes what it reads. */
class SocketConn implements Conn {
  peer?: string;
  #socket: BunSocket | undefined;
  // What came and nobody has read, from `#taken` on.
  readonly #ahead: Uint8Array[] = [];
  #taken = 0;
  #paused = false;
  #end: "no" | "end" | IoError = "no";
  // Why nothing can be written any more.
  #broken: IoError | undefined;
  #reader: { into: Uint8Array; resolve: (count: number | null) => void; reject: (error: unknown) => void } | undefined;
  #writer: { resolve: () => void; reject: (error: unknown) => void } | undefined;

  attach(socket: BunSocket): void {
    this.#socket = socket;
    if (this.#paused) socket.pause();
    if (socket.remoteAddress !== undefined) this.peer = socket.remoteAddress;
  }

  read(into: Uint8Array): Promise<number | null> {
    if (this.#ahead.length > 0) return Promise.resolve(this.#take(into));
    if (this.#end === "end") return Promise.resolve(null);
    if (this.#end !== "no") return Promise.reject(this.#end);
    return new Promise((resolve, reject) => {
      this.#reader = { into, resolve, reject };
      if (!this.#paused) return;
      this.#paused = false;
      this.#socket?.resume();
    });
  }

  async write(octets: Uint8Array): Promise<void> {
    for (let rest = octets; rest.length > 0;) {
      if (this.#broken) throw this.#broken;
      const written = this.#socket!.write(rest);
      if (written < 0) throw this.#broken ?? new IoError("reset", "cannot write: connection is closed");
      rest = rest.subarray(written);
      if (rest.length > 0) await new Promise<void>((resolve, reject) => this.#writer = { resolve, reject });
    }
  }

  close(): void {
    this.#fail(new IoError("closed", "connection is closed"));
    this.#ahead.length = 0;
    this.#socket?.close();
  }

  // --- what the socket reports

  arrived(octets: Uint8Array): void {
    // Reading was ended by `close`, be it in this very turn.
    if (this.#end !== "no") return;
    this.#ahead.push(octets);
    const reader = this.#reader;
    if (reader) {
      this.#reader = undefined;
      reader.resolve(this.#take(reader.into));
    } else if (!this.#paused) {
      this.#paused = true;
      this.#socket?.pause();
    }
  }

  drained(): void {
    const writer = this.#writer;
    this.#writer = undefined;
    writer?.resolve();
  }

  ended(): void {
    if (this.#end !== "no") return;
    this.#end = "end";
    this.#reader?.resolve(null);
    this.#reader = undefined;
  }

  closed(error: unknown): void {
    if (error) this.#fail(ioError(error, "connection is lost"));
    this.ended();
    this.#fail(new IoError("reset", "connection is closed"));
  }

  #take(into: Uint8Array): number {
    const first = this.#ahead[0]!;
    const count = Math.min(into.length, first.length - this.#taken);
    into.set(first.subarray(this.#taken, this.#taken + count));
    this.#taken += count;
    if (this.#taken === first.length) {
      this.#ahead.shift();
      this.#taken = 0;
    }
    return count;
  }

  #fail(error: IoError): void {
    if (this.#end === "no") this.#end = error;
    this.#broken ??= error;
    this.#reader?.reject(error);
    this.#reader = undefined;
    this.#writer?.reject(error);
    this.#writer = undefined;
  }
}

function stdioConn(): Conn {
  return isSpawned() ? new StdioSocketConn() : new StdioFileConn();
}

function isSpawned(): boolean {
  try {
    const [input, output] = [fs.fstatSync(0), fs.fstatSync(1)];
    return input.isSocket() && input.ino === output.ino && input.dev === output.dev;
  } catch {
    return false;
  }
}

/** Standard input and output that are one socket, as under spawn(8). */
class StdioSocketConn implements Conn {
  readonly #conn = new SocketConn();
  readonly #opening: Promise<void>;
  #opened = false;

  constructor() {
    const options = { fd: 0, allowHalfOpen: true, data: this.#conn, socket: HANDLERS } as const;
    this.#opening = bun.connect(options).then((socket) => {
      this.#conn.attach(socket);
      this.#opened = true;
    }, (error) => {
      throw ioError(error, "cannot use standard input");
    });
    this.#opening.catch(() => {});
  }

  async read(into: Uint8Array): Promise<number | null> {
    if (!this.#opened) await this.#opening;
    return await this.#conn.read(into);
  }

  async write(octets: Uint8Array): Promise<void> {
    if (!this.#opened) await this.#opening;
    await this.#conn.write(octets);
  }

  close(): void {
    this.#conn.close();
  }
}

// A pipe that its owner made non-blocking says "try again" where others wait.
const AGAIN_DELAY = 5;

/** Standard input and output as anything else. They cannot be closed under a call that waits, so it is let go. */
class StdioFileConn implements Conn {
  readonly #waiting = new Set<(error: IoError) => void>();
  #closed = false;

  read(into: Uint8Array): Promise<number | null> {
    if (into.length === 0) return Promise.resolve(0);
    return this.#unlessClosed(async () => {
      try {
        return await patiently((done) => fs.read(0, into, 0, into.length, null, done)) || null;
      } catch (error) {
        throw ioError(error, "cannot read");
      }
    });
  }

  write(octets: Uint8Array): Promise<void> {
    return this.#unlessClosed(async () => {
      try {
        for (let from = 0; from < octets.length;) {
          from += await patiently((done) => fs.write(1, octets, from, octets.length - from, null, done));
        }
      } catch (error) {
        throw ioError(error, "cannot write");
      }
    });
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

type Done = (error: unknown, count: number) => void;

async function patiently(attempt: (done: Done) => void): Promise<number> {
  for (;;) {
    try {
      return await promised(attempt);
    } catch (error) {
      if (codeOf(error) !== "EAGAIN") throw error;
      await new Promise((resolve) => setTimeout(resolve, AGAIN_DELAY));
    }
  }
}

// --- datagrams

interface Libc {
  socket(domain: number, type: number, protocol: number): number;
  sendto(
    ...args: [socket: number, data: Uint8Array, size: number, flags: number, to: Uint8Array, toSize: number]
  ): number | bigint;
  /** Where this thread's errno lies. */
  __errno_location(): number;
}

// glibc's, and musl's.
const LIBC_NAMES = ["libc.so.6", `libc.musl-${process.arch === "arm64" ? "aarch64" : "x86_64"}.so.1`];

// From the headers of Linux, the same on all its architectures that Bun runs on.
const AF_UNIX = 1;
const SOCK_DGRAM_CLOEXEC = 2 | 0o2000000;
const MSG_DONTWAIT_NOSIGNAL = 0x40 | 0x4000;
const PATH_LIMIT = 107;
const ERRNO_NAMES: Readonly<Record<number, string>> = {
  1: "EPERM",
  2: "ENOENT",
  11: "EAGAIN",
  13: "EACCES",
  20: "ENOTDIR",
  24: "EMFILE",
  90: "EMSGSIZE",
  91: "EPROTOTYPE",
  104: "ECONNRESET",
  105: "ENOBUFS",
  107: "ENOTCONN",
  111: "ECONNREFUSED",
};

async function datagrams(path: string): Promise<DatagramSender> {
  // The module's name is no literal, for only Bun knows it and others would look for it.
  const name = "bun:ffi";
  const { dlopen, read } = await import(name);
  const libc = openLibc(dlopen);
  const errno = (): string => {
    const number: number = read.i32(libc.__errno_location());
    return ERRNO_NAMES[number] ?? `errno ${number}`;
  };
  const encoded = new TextEncoder().encode(path);
  if (encoded.length > PATH_LIMIT) throw new IoError("other", `cannot make a datagram socket: ${path} is too long`);
  const address = new Uint8Array(2 + encoded.length + 1);
  address[0] = AF_UNIX;
  address.set(encoded, 2);
  const socket = libc.socket(AF_UNIX, SOCK_DGRAM_CLOEXEC, 0);
  if (socket < 0) throw systemError(errno(), "cannot make a datagram socket");
  return {
    // In the kernel's hands when it resolves, so nothing is lost when the process ends.
    send: async (octets) => {
      for (;;) {
        const sent = libc.sendto(socket, octets, octets.length, MSG_DONTWAIT_NOSIGNAL, address, address.length);
        if (Number(sent) >= 0) return;
        const code = errno();
        // The receiver is slow. A socket that may be written says nothing of the receiver's, so time has to.
        if (code !== "EAGAIN") throw systemError(code, `cannot send to ${path}`);
        await new Promise((resolve) => setTimeout(resolve, AGAIN_DELAY));
      }
    },
  };
}

let loadedLibc: Libc | undefined;

function openLibc(dlopen: (name: string, symbols: unknown) => { symbols: Libc }): Libc {
  if (loadedLibc) return loadedLibc;
  const symbols = {
    socket: { args: ["i32", "i32", "i32"], returns: "i32" },
    sendto: { args: ["i32", "ptr", "u64", "i32", "ptr", "u32"], returns: "i64" },
    __errno_location: { args: [], returns: "ptr" },
  };
  let failure: unknown;
  for (const name of LIBC_NAMES) {
    try {
      return loadedLibc = dlopen(name, symbols).symbols;
    } catch (error) {
      failure = error;
    }
  }
  throw ioError(failure, "cannot load libc");
}

// --- files

const { O_APPEND, O_CREAT, O_EXCL, O_RDONLY, O_RDWR, O_WRONLY } = fs.constants;

async function create(path: string): Promise<File> {
  return openFile(path, { flags: O_RDWR | O_CREAT | O_EXCL, mode: 0o600 });
}

async function open(path: string): Promise<File> {
  return openFile(path, { flags: O_RDONLY });
}

async function openLog(path: string): Promise<File> {
  return openFile(path, { flags: O_WRONLY | O_APPEND | O_CREAT, mode: 0o640 });
}

function openFile(path: string, { flags, mode }: { flags: number; mode?: number }): File {
  try {
    return new NodeFile(path, fs.openSync(path, flags, mode), (flags & O_APPEND) !== 0);
  } catch (error) {
    throw ioError(error, `cannot open ${path}`);
  }
}

// Up to this, a write is made at once: it goes to the page cache in a few microseconds, whereas the first call that needs a
// thread costs a new process 1.5 milliseconds. Larger ones leave that to a thread, so that a disk that stalls holds up
// one session and not all.
const AT_ONCE = 16384;

class NodeFile implements File {
  readonly #path: string;
  readonly #descriptor: number;
  // node has no lseek(2): where to read is said with each call, where to write is the end.
  #readFrom = 0;
  #size = 0;
  readonly #isLog: boolean;

  constructor(path: string, descriptor: number, isLog: boolean) {
    this.#path = path;
    this.#descriptor = descriptor;
    this.#isLog = isLog;
  }

  async append(octets: Uint8Array): Promise<void> {
    try {
      for (let from = 0; from < octets.length;) {
        // A log may have other writers, and be no file at all: there the kernel finds the end.
        const at = this.#isLog ? null : this.#size;
        const left = octets.length - from;
        const written = octets.length <= AT_ONCE
          ? fs.writeSync(this.#descriptor, octets, from, left, at)
          : await promised((done) => fs.write(this.#descriptor, octets, from, left, at, done));
        from += written;
        this.#size += written;
      }
    } catch (error) {
      throw ioError(error, `cannot write ${this.#path}`);
    }
  }

  async rewind(): Promise<void> {
    this.#readFrom = 0;
  }

  // What has just been written is in memory: waking a thread for it costs more than reading it.
  async read(into: Uint8Array): Promise<number | null> {
    if (into.length === 0) return 0;
    try {
      const count = fs.readSync(this.#descriptor, into, 0, into.length, this.#readFrom);
      this.#readFrom += count;
      return count === 0 ? null : count;
    } catch (error) {
      throw ioError(error, `cannot read ${this.#path}`);
    }
  }

  async stat(): Promise<FileFacts> {
    return factsOf(fs.fstatSync(this.#descriptor));
  }

  close(): void {
    fs.closeSync(this.#descriptor);
  }
}

async function stat(path: string): Promise<FileFacts> {
  try {
    return factsOf(fs.statSync(path));
  } catch (error) {
    throw ioError(error, `cannot look at ${path}`);
  }
}

function factsOf(stats: fs.Stats): FileFacts {
  const kind = stats.isFile() ? "file" : stats.isDirectory() ? "directory" : "other";
  return { kind, size: stats.size, modified: Math.floor(stats.mtimeMs) };
}

async function remove(path: string): Promise<void> {
  try {
    removeAny(path);
  } catch (error) {
    if (codeOf(error) !== "ENOENT") throw ioError(error, `cannot remove ${path}`);
  }
}

function removeAny(path: string): void {
  try {
    fs.unlinkSync(path);
  } catch (error) {
    if (codeOf(error) !== "EISDIR") throw error;
    fs.rmSync(path, { recursive: true });
  }
}

async function list(directory: string): Promise<string[]> {
  try {
    return fs.readdirSync(directory);
  } catch (error) {
    throw ioError(error, `cannot list ${directory}`);
  }
}

// --- processes

async function start(words: readonly string[], environment: Readonly<Record<string, string>>): Promise<Child> {
  let child: BunProcess;
  try {
    child = bun.spawn({
      cmd: words,
      env: { ...process.env, ...environment },
      stdio: ["ignore", "ignore", "pipe"],
      // setsid(2), so the leader of a group of its own.
      detached: true,
    });
  } catch (error) {
    throw ioError(error, `cannot run ${words[0]}`);
  }
  const stderr = child.stderr.getReader();
  return {
    ended: endOf(child),
    readStderr: async () => (await stderr.read()).value ?? null,
    closeStderr: () => void stderr.cancel().catch(() => {}),
    signalGroup: (signal) => {
      try {
        process.kill(-child.pid, signal);
      } catch {
        // Nobody is left in the group: that is what the signal was for.
      }
    },
  };
}

async function startSelf(args: readonly string[], stderr: "pipe" | "inherit"): Promise<BackgroundSelf> {
  let child: BunProcess;
  try {
    child = bun.spawn({
      cmd: [...selfWords(), ...args],
      env: process.env,
      stdio: ["ignore", "pipe", stderr],
      detached: true,
    });
  } catch (error) {
    throw ioError(error, `cannot run ${process.execPath}`);
  }
  return {
    ended: endOf(child),
    firstLine: readFirstLine(child.stdout),
    stderr: stderr === "pipe" ? new Response(child.stderr).text() : Promise.resolve(""),
    release: () => child.unref(),
  };
}

function selfWords(): readonly string[] {
  // In an executable the source has a path that no file system has.
  return bun.main.startsWith("/$bunfs/") ? [process.execPath] : [process.execPath, bun.main];
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

async function endOf(child: BunProcess): Promise<ProcessEnd> {
  const exit = await child.exited;
  return child.signalCode === null ? { exit } : { signal: child.signalCode };
}

async function isAlive(pid: number): Promise<boolean> {
  try {
    // Signal 0 only asks (kill(2)).
    process.kill(pid, 0);
    return true;
  } catch (error) {
    // Another user's may not be asked, but is there.
    return codeOf(error) === "EPERM";
  }
}

// --- the rest

function writeSync(descriptor: number, text: string): void {
  const octets = new TextEncoder().encode(text);
  for (let from = 0; from < octets.length;) from += fs.writeSync(descriptor, octets, from);
}

function promised(call: (done: Done) => void): Promise<number> {
  return new Promise((resolve, reject) => call((error, count) => error ? reject(error) : resolve(count)));
}

function codeOf(error: unknown): string | undefined {
  return (error as { code?: string }).code;
}

function systemError(code: string, what: string): IoError {
  return new IoError(kindOfCode(code), `${what}: ${code}`);
}

function ioError(error: unknown, what: string): IoError {
  if (error instanceof IoError) return error;
  const { message } = error as { message: string };
  const code = codeOf(error) ?? "";
  const kind = code.startsWith("DNS_") ? "unknown-host" : kindOfCode(code);
  // Bun's "Failed to connect" says no reason.
  return new IoError(kind, `${what}: ${message}${message.includes(code) ? "" : ` (${code})`}`, { cause: error });
}
