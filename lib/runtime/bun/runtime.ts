// The runtime ports for the Bun executable. Only this and the files bun_*.ts import `node:` or `bun:` and say `Bun.`.
//
// Files and signals are node's. Sockets and processes are Bun's own, for spawn(8) pays for them with every message:
// node:net and node:child_process, which Bun builds on top of these, would double the 7 ms of CPU that a message takes.
// Datagrams to a unix socket, which neither has, are sent with libc's sendto(2).

import process from "node:process";
import { after } from "./api.ts";
import { datagrams } from "./datagrams.ts";
import {
  create,
  createLocked,
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
import { selfWords, start, startSelf } from "./processes.ts";
import { addressesOf, connect, listen, udp } from "./sockets.ts";
import { appendErr, isErrInput, isErrJournal, isOutTerminal, isSpawned, stdioConn, writeSync } from "./stdio.ts";
import type { Runtime } from "../../ports/runtime.ts";
import { lazyResolver } from "../shared/resolver.ts";

export function bunRuntime(): Runtime {
  const clock = { now: () => performance.now(), after };
  const network = { connect, listen, addressesOf, datagrams, udp };
  const files = {
    create,
    createLocked,
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
    clock,
    network,
    resolver: lazyResolver({ clock, network, files }),
    files,
    processes: { start, startSelf, selfWords },
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
