// The three places that a log can be: syslog, standard error, a file.
//
// Lines are sent in order, one after another, and a bounded number waits. When syslog is not there, a line is dropped; a
// program that runs in the foreground without being spawned shows it on standard error instead. Nothing is ever written
// to standard error where that is the client's socket.

import type { DatagramSender, File, Runtime } from "../runtime/ports.ts";
import { bytesOf, cutUtf8 } from "../smtp/bytes.ts";
import { isWanted, type Level, type Logger, SEVERITY } from "./logger.ts";

export type LogTarget =
  | { readonly kind: "syslog"; readonly path: string }
  | { readonly kind: "stderr" }
  | { readonly kind: "file"; readonly path: string };

/** syslog's facility mail (RFC 5424 s.6.2.1). */
const FACILITY_MAIL = 2;

// What may wait for a slow disk or syslog daemon before lines are dropped.
const QUEUE_LIMIT = 10000;

// A syslog daemon that takes nothing must not keep the program from its end.
const FLUSH_LIMIT = 500;

// RFC 3164 allows 1024 octets; every syslog daemon of today takes more. A message line with a long reply fits.
const SYSLOG_LINE_LIMIT = 2048;

export interface LoggerOptions {
  readonly verbosity: number;
  /** Where lines go that syslog does not take. */
  readonly fallback: "stderr" | "nowhere";
}

/** Opens a log file now, so that one that cannot be written is known at the start: throws `IoError`. */
export async function openLogger(runtime: Runtime, target: LogTarget, options: LoggerOptions): Promise<Logger> {
  const write = await openSink(runtime, target, options);
  let tail: Promise<void> = Promise.resolve();
  let waiting = 0;
  return {
    verbosity: options.verbosity,
    write: (level, line) => {
      if (!isWanted(level, options.verbosity) || waiting >= QUEUE_LIMIT) return;
      waiting++;
      tail = tail.then(() => write.line(level, line)).catch(() => {}).finally(() => waiting--);
    },
    reopen: () => {
      tail = tail.then(() => write.reopen()).catch(() => {});
    },
    flush: () => Promise.race([tail, new Promise<void>((resolve) => runtime.clock.after(FLUSH_LIMIT, resolve))]),
  };
}

interface Sink {
  line(level: Level, line: string): Promise<void>;
  reopen(): Promise<void>;
}

async function openSink(runtime: Runtime, target: LogTarget, { fallback }: LoggerOptions): Promise<Sink> {
  const stderr: Sink = {
    line: async (_level, line) => runtime.stdio.writeErr(`postprox[${runtime.pid}]: ${line}\n`),
    reopen: async () => {},
  };
  if (target.kind === "stderr") return stderr;
  if (target.kind === "syslog") return syslogSink(runtime, target.path, fallback === "stderr" ? stderr : undefined);
  let file: File = await runtime.files.openLog(target.path);
  return {
    line: (level, line) => {
      const time = new Date().toISOString();
      return file.append(bytesOf(`${time} postprox[${runtime.pid}]: ${level}: ${line}\n`));
    },
    reopen: async () => {
      const reopened = await runtime.files.openLog(target.path);
      file.close();
      file = reopened;
    },
  };
}

function syslogSink(runtime: Runtime, path: string, fallback: Sink | undefined): Sink {
  let sender: DatagramSender | undefined;
  return {
    line: async (level, line) => {
      try {
        sender ??= await runtime.network.datagrams(path);
        await sender.send(formatSyslog(level, line, { pid: runtime.pid, now: new Date() }));
      } catch {
        await fallback?.line(level, line);
      }
    },
    reopen: async () => {},
  };
}

const MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/** One datagram as the C library's syslog(3) sends it (RFC 3164). */
export function formatSyslog(level: Level, line: string, { pid, now }: { pid: number; now: Date }): Uint8Array {
  const day = String(now.getDate()).padStart(2, " ");
  const time = [now.getHours(), now.getMinutes(), now.getSeconds()].map((part) => String(part).padStart(2, "0"));
  const priority = FACILITY_MAIL * 8 + SEVERITY[level];
  const head = `<${priority}>${MONTHS[now.getMonth()]} ${day} ${time.join(":")} postprox[${pid}]: `;
  return cutUtf8(bytesOf(`${head}${line}`), SYSLOG_LINE_LIMIT);
}
