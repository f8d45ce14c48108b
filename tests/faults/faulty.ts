// Stands between a session and its runtime, counts each operation, and makes one call fail.
//
// A write or an append that fails does nothing. A create that fails makes nothing. The next call succeeds again, so the
// effects of the one failure show at once.

import { IoError, type IoErrorKind } from "../../lib/ports/io_error.ts";
import type { Child, Conn, File, Runtime, TalkingChild } from "../../lib/ports/runtime.ts";
import { scannerAt } from "../fuzz/scanners.ts";

export const OPERATIONS = [
  "connect",
  "read downstream",
  "write downstream",
  "read client",
  "write client",
  "create",
  "append",
  "stat of a file",
  "set the time of a file",
  "stat of a path",
  "open",
  "read back",
  "unlink",
  "spawn",
  "wait",
  "read stderr",
  "connect to scanner",
  "read scanner",
  "write scanner",
  "look up in list",
  "look up host",
  "start helper",
  "read helper",
  "write helper",
  "lock",
  "sync",
  "sync of a directory",
  "rename",
] as const;

export type Operation = typeof OPERATIONS[number];

/** The errors that the system can give to each (connect(2), read(2), open(2), write(2), fork(2) ...), in our vocabulary. */
export const KINDS: Readonly<Record<Operation, readonly IoErrorKind[]>> = {
  "connect": ["refused", "timeout", "unreachable", "unknown-host", "reset", "missing", "denied", "other"],
  "read downstream": ["reset", "timeout", "other"],
  "write downstream": ["reset", "timeout", "other"],
  "read client": ["reset", "timeout", "other"],
  "write client": ["reset", "timeout", "other"],
  "create": ["no-space", "exists", "missing", "denied", "other"],
  "append": ["no-space", "other"],
  "stat of a file": ["other"],
  "set the time of a file": ["denied", "other"],
  "stat of a path": ["missing", "denied", "other"],
  "open": ["missing", "denied", "other"],
  "read back": ["other"],
  "unlink": ["denied", "other"],
  "spawn": ["missing", "denied", "other"],
  "wait": ["other"],
  "read stderr": ["reset", "other"],
  "connect to scanner": [
    "refused",
    "timeout",
    "unreachable",
    "unknown-host",
    "missing",
    "denied",
    "exhausted",
    "other",
  ],
  "read scanner": ["reset", "timeout", "other"],
  "write scanner": ["reset", "timeout", "other"],
  "look up in list": ["timeout", "refused", "unreachable", "other"],
  "look up host": ["timeout", "refused", "unreachable", "other"],
  "start helper": ["missing", "denied", "exhausted", "other"],
  "read helper": ["reset", "other"],
  "write helper": ["reset", "other"],
  "lock": ["other"],
  "sync": ["no-space", "other"],
  "sync of a directory": ["no-space", "other"],
  "rename": ["no-space", "denied", "other"],
};

export interface Fault {
  readonly operation: Operation;
  /** 0 is the first call. */
  readonly call: number;
  readonly kind: IoErrorKind;
}

export class Faulty {
  /** Where each call was made, as `place` said then. */
  readonly calls: { operation: Operation; place: string }[] = [];
  place = "";
  happened = false;
  readonly #fault: Fault | undefined;
  readonly #counts = new Map<Operation, number>();

  constructor(fault?: Fault) {
    this.#fault = fault;
  }

  runtime(inner: Runtime): Runtime {
    const { network, files, processes, resolver } = inner;
    return over(inner, {
      network: over(network, {
        connect: async (to, limit) => {
          const isScanner = scannerAt(to) !== undefined;
          this.#pass(isScanner ? "connect to scanner" : "connect");
          return this.#conn(await network.connect(to, limit), isScanner ? "scanner" : "downstream");
        },
      }),
      files: over(files, {
        create: async (path) => {
          this.#pass("create");
          return this.#file(await files.create(path));
        },
        createLocked: async (path, octets) => {
          this.#pass("create");
          return await files.createLocked(path, octets);
        },
        open: async (path) => {
          this.#pass("open");
          return this.#file(await files.open(path));
        },
        stat: async (path) => {
          this.#pass("stat of a path");
          return await files.stat(path);
        },
        remove: async (path) => {
          this.#pass("unlink");
          await files.remove(path);
        },
        rename: async (from, to) => {
          this.#pass("rename");
          await files.rename(from, to);
        },
        syncDirectory: async (path) => {
          this.#pass("sync of a directory");
          await files.syncDirectory(path);
        },
      }),
      resolver: over(resolver, {
        resolve: async (name, type, options) => {
          this.#pass(name.endsWith(".list") ? "look up in list" : "look up host");
          return await resolver.resolve(name, type, options);
        },
      }),
      processes: over(processes, {
        start: async (words, environment) => this.#child(await processes.start(words, environment)),
        startTalking: async (words) => {
          this.#pass("start helper");
          return this.#talkingChild(await processes.startTalking(words));
        },
      }),
    });
  }

  /** The failure of the start of a process, which is to fail below us: its files are looked at there. */
  spawn(): IoError | undefined {
    try {
      this.#pass("spawn");
      return undefined;
    } catch (error) {
      return error as IoError;
    }
  }

  client(inner: Conn): Conn {
    return this.#conn(inner, "client");
  }

  #conn(inner: Conn, who: "client" | "downstream" | "scanner"): Conn {
    return {
      ...inner.peer === undefined ? {} : { peer: inner.peer },
      read: async (into) => {
        this.#pass(`read ${who}`);
        return await inner.read(into);
      },
      write: async (octets) => {
        this.#pass(`write ${who}`);
        await inner.write(octets);
      },
      close: () => inner.close(),
    };
  }

  #file(inner: File): File {
    return {
      append: async (octets) => {
        this.#pass("append");
        await inner.append(octets);
      },
      read: async (into, at) => {
        this.#pass("read back");
        return await inner.read(into, at);
      },
      stat: async () => {
        this.#pass("stat of a file");
        return await inner.stat();
      },
      backdate: async () => {
        this.#pass("set the time of a file");
        await inner.backdate();
      },
      sync: async () => {
        this.#pass("sync");
        await inner.sync();
      },
      isUnlocked: () => inner.isUnlocked(),
      lock: async () => {
        this.#pass("lock");
        return await inner.lock();
      },
      close: () => inner.close(),
    };
  }

  #child(inner: Child): Child {
    const ended = inner.ended.then((end) => {
      this.#pass("wait");
      return end;
    });
    ended.catch(() => {});
    return {
      ended,
      readStderr: async () => {
        this.#pass("read stderr");
        return await inner.readStderr();
      },
      closeStderr: () => inner.closeStderr(),
      hasGroup: () => inner.hasGroup(),
      signalGroup: (signal) => inner.signalGroup(signal),
    };
  }

  #talkingChild(inner: TalkingChild): TalkingChild {
    return {
      ...this.#child(inner),
      write: async (octets) => {
        this.#pass("write helper");
        await inner.write(octets);
      },
      readStdout: async () => {
        this.#pass("read helper");
        return await inner.readStdout();
      },
      hangUp: () => inner.hangUp(),
    };
  }

  #pass(operation: Operation): void {
    const call = this.#counts.get(operation) ?? 0;
    this.#counts.set(operation, call + 1);
    this.calls.push({ operation, place: this.place });
    const fault = this.#fault;
    if (fault?.operation !== operation || fault.call !== call) return;
    this.happened = true;
    throw new IoError(fault.kind, `${operation}: ${fault.kind}`);
  }
}

// `inner` with some of its members put in place of its own.
function over<T extends object>(inner: T, members: Partial<T>): T {
  return new Proxy(inner, {
    get: (_, name) => {
      const member = Reflect.get(name in members ? members : inner, name);
      return typeof member === "function" && !(name in members) ? member.bind(inner) : member;
    },
  });
}
