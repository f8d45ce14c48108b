// The runtime ports on Deno 2.9. Only files in this folder say `Deno.`.

import { after } from "./api.ts";
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
import { selfWords, start, startSelf, variable } from "./processes.ts";
import { addressesOf, connect, datagrams, listen, udp } from "./sockets.ts";
import { appendErr, isErrInput, isErrJournal, isSpawned, StdioConn, writeSync } from "./stdio.ts";
import type { Address, Runtime } from "../../ports/runtime.ts";
import { WORKER_VARIABLE, workerSockets } from "../shared/children.ts";
import { lazyResolver } from "../shared/resolver.ts";
import { SharedTurn } from "../../wire/shared_turn.ts";

let loaded: Promise<typeof import("./next_turn.ts")> | undefined;

// Nearly no message in spawn mode needs it.
async function nextTurn(go: () => void): Promise<void> {
  const module = await (loaded ??= import("./next_turn.ts")).catch(() => undefined);
  // An upgrade may have removed the file.
  if (!module) after(0, go);
  else await module.nextTurn(go);
}

export function denoRuntime(): Runtime {
  const clock = { now: () => performance.now(), after };
  const network = {
    connect,
    listen,
    holdInherited: async (fd: number) => (await import("./inherited.ts")).holdInherited(fd),
    inherit: async (fd: number) => (await import("./inherited.ts")).inherit(fd),
    listenInherited: async (fd: number) => (await import("./inherited.ts")).listenInherited(fd),
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
    pid: Deno.pid,
    variable,
    workerSockets: workerSockets(variable(WORKER_VARIABLE)),
    clock,
    turn: new SharedTurn(clock, nextTurn),
    machineTime: async () => (await import("./machine_time.ts")).machineTime(),
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
      uid: () => Deno.uid() ?? -1,
      become: async (account) => (await import("./privileges.ts")).become(account),
      give: async (path, account) => (await import("./privileges.ts")).give(path, account),
    },
    signals: { on: (signal, handler) => Deno.addSignalListener(signal, handler) },
    stdio: {
      conn: () => new StdioConn(),
      isSpawned,
      isErrInput,
      isErrJournal,
      isOutTerminal: () => Deno.stdout.isTerminal(),
      appendErr,
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
