// The runtime ports for the Bun executable. Only files in this folder import `node:` or `bun:` and say `Bun.`.
//
// Files and signals are node's. Sockets and processes are Bun's own, because under spawn(8) each message pays for them.
// Bun builds node:net and node:child_process on top of its own. They would double the 7 ms of CPU that a message takes.
// Neither has datagrams to a unix socket. libc's sendto(2) sends those.

import process from "node:process";
import { after } from "./api.ts";
import { datagrams } from "./datagrams.ts";
import {
  create,
  createLocked,
  createReadable,
  list,
  lstat,
  newChecksum,
  open,
  openLog,
  remove,
  rename,
  stat,
  syncDirectory,
} from "./files.ts";
import { machineTime } from "./libc.ts";
import { selfWords, start, startSelf } from "./processes.ts";
import { addressesOf, connect, udp } from "./sockets.ts";
import { appendErr, isErrInput, isErrJournal, isOutTerminal, isSpawned, stdioConn, writeSync } from "./stdio.ts";
import type { Address, Runtime } from "../../ports/runtime.ts";
import { WORKER_VARIABLE, workerSockets } from "../shared/children.ts";
import { lazyResolver } from "../shared/resolver.ts";
import { SharedTurn } from "../../wire/shared_turn.ts";

export function bunRuntime(): Runtime {
  const clock = { now: () => performance.now(), after };
  const network = {
    connect,
    listen: async (at: Address, mode?: number) => (await import("./listener.ts")).listen(at, mode),
    holdInherited: async (fd: number) => (await import("./listener.ts")).holdInherited(fd),
    inherit: async (fd: number) => (await import("./listener.ts")).inherit(fd),
    listenInherited: async (fd: number) => (await import("./listener.ts")).listenInherited(fd),
    hold: async (at: Address, mode?: number) => (await import("./held_socket.ts")).hold(at, mode),
    addressesOf,
    datagrams,
    udp,
  };
  const files = {
    create,
    createLocked,
    createReadable,
    open,
    openLog,
    stat,
    lstat,
    rename,
    remove,
    list,
    syncDirectory,
    newChecksum,
  };
  return {
    pid: process.pid,
    variable: (name) => process.env[name],
    workerSockets: workerSockets(process.env[WORKER_VARIABLE]),
    clock,
    // A timer would take a millisecond.
    turn: new SharedTurn(clock, setImmediate),
    machineTime,
    network,
    resolver: lazyResolver({ clock, network, files }),
    files,
    processes: {
      start,
      startWorker: async (words, sockets) => (await import("./worker_process.ts")).startWorker(words, sockets),
      startTalking: async (words) => (await import("./talking.ts")).startTalking(words),
      startSelf,
      selfWords,
    },
    privileges: {
      uid: () => process.getuid?.() ?? -1,
      become: async (account) => (await import("./privileges.ts")).become(account),
      give: async (path, account) => (await import("./privileges.ts")).give(path, account),
    },
    signals: { on: (signal, handler) => void process.on(signal, handler) },
    stdio: {
      conn: stdioConn,
      isSpawned,
      isErrInput,
      isErrJournal,
      isOutTerminal,
      appendErr,
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
