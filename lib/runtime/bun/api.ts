// The API of Bun that the adapter uses, and code that its parts share: the translation of errors, and timers.

import { closeSync, openSync } from "node:fs";
import { IoError, kindOfCode } from "../../ports/io_error.ts";

interface BunApi {
  readonly main: string;
  connect(options: SocketOptions & { readonly data: SocketUser }): Promise<BunSocket>;
  listen(options: SocketOptions & { readonly exclusive: true }): { stop(closeConnections: boolean): void };
  udpSocket(options: {
    readonly hostname: "::" | "0.0.0.0";
    readonly connect: { readonly hostname: string; readonly port: number };
    readonly socket: {
      data(socket: BunUdpSocket, octets: Uint8Array): void;
      error(error: unknown): void;
    };
  }): Promise<BunUdpSocket>;
  spawn(options: {
    readonly cmd: readonly string[];
    readonly env?: Readonly<Record<string, string | undefined>>;
    /** A number is a descriptor of ours, which stays open here. Octets are the child's input. */
    readonly stdio: readonly [
      "ignore" | "pipe" | Uint8Array,
      "ignore" | "pipe",
      "pipe" | "inherit" | number,
      ...readonly number[],
    ];
    readonly detached: true;
  }): BunProcess;
  readonly hash: { crc32(octets: Uint8Array, before: number): number };
  file(descriptor: number): { stream(): ReadableStream<Uint8Array> };
  readonly dns: {
    lookup(host: string, options: { backend: "libc"; socketType: "tcp" }): Promise<readonly { address: string }[]>;
  };
  /** Sets how much more often than usual code must run before it becomes machine code. */
  readonly unsafe: { setJITPolicy(scale: number): void };
}

type SocketOptions =
  & { readonly allowHalfOpen: true; readonly socket: SocketHandlers }
  & ({ readonly hostname: string; readonly port: number } | { readonly unix: string } | { readonly fd: number });

export interface SocketHandlers {
  open(socket: BunSocket): void;
  data(socket: BunSocket, octets: Uint8Array): void;
  drain(socket: BunSocket): void;
  end(socket: BunSocket): void;
  close(socket: BunSocket, error?: unknown): void;
  error(socket: BunSocket, error: unknown): void;
  connectError(socket: BunSocket, error: unknown): void;
}

/** The user of a socket: the socket calls these. */
export interface SocketUser {
  arrived(octets: Uint8Array): void;
  drained(): void;
  ended(): void;
  closed(error: unknown): void;
}

export interface BunSocket {
  data: SocketUser;
  readonly remoteAddress?: string;
  /** The count of octets that the kernel took; negative if the socket is closed. */
  write(octets: Uint8Array): number;
  pause(): void;
  resume(): void;
  close(): void;
}

export interface BunUdpSocket {
  /** False if the kernel has no room now. */
  send(octets: Uint8Array): boolean;
  close(): void;
}

export interface BunProcess {
  readonly pid: number;
  readonly exited: Promise<number>;
  readonly signalCode: string | null;
  /** Absent unless it is a pipe. */
  readonly stdin?: BunSink;
  readonly stdout: ReadableStream<Uint8Array>;
  readonly stderr: ReadableStream<Uint8Array>;
  unref(): void;
}

/** Keeps what is written until `flush`, which waits until all of it is written. */
interface BunSink {
  write(octets: Uint8Array): number | Promise<number>;
  flush(): number | Promise<number>;
  end(): number | Promise<number>;
}

export const bun = (globalThis as unknown as { Bun: BunApi }).Bun;

export function after(delay: number, callback: () => void): () => void {
  // For a delay below 0 it would write a warning to standard error. Under spawn(8) that is the client.
  const timer = setTimeout(callback, Math.max(0, delay));
  return () => clearTimeout(timer);
}

export type Done = (error: unknown, count: number) => void;

export function promised(call: (done: Done) => void): Promise<number> {
  return new Promise((resolve, reject) => call((error, count) => error ? reject(error) : resolve(count)));
}

export function codeOf(error: unknown): string | undefined {
  return (error as { code?: string }).code;
}

/** `what` says what was tried. Without it the message is the reason alone. */
export function ioError(error: unknown, what = ""): IoError {
  if (error instanceof IoError) return error;
  const code = codeOf(error) ?? "";
  // For these Bun gives no reason, or a wrong one.
  const isUnknown = code === "" || code.startsWith("DNS_");
  if (isUnknown && isExhausted()) return new IoError("exhausted", said(what, "too many open files"), { cause: error });
  const message = (error as { message: string }).message.replace(/, \w+ '.*$/s, "");
  const kind = code.startsWith("DNS_") ? "unknown-host" : kindOfCode(code);
  const reason = message.includes(code) ? message : `${message} (${code})`;
  return new IoError(kind, said(what, reason), { cause: error });
}

function said(what: string, reason: string): string {
  return what === "" ? reason : `${what}: ${reason}`;
}

// Whether we have no descriptor left.
function isExhausted(): boolean {
  try {
    closeSync(openSync("/", "r"));
    return false;
  } catch (error) {
    return kindOfCode(codeOf(error)) === "exhausted";
  }
}

// It is not worth the work to free less.
const WORTH_FREEING = 32_768;

/**
 * Frees the memory of `octets` that were read, if it is much. Nobody may use them after that. Otherwise Bun's garbage
 * collector would come so late that a stream of 100 MB makes the process 30 MB larger.
 */
export function giveBack(octets: Uint8Array): void {
  if (octets.length < WORTH_FREEING || octets.length < octets.buffer.byteLength) return;
  // A transfer to another length gives back the memory of a buffer.
  (octets.buffer as ArrayBuffer).transfer(0);
}
