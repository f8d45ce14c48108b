// Files in memory. Any operation can be made to fail with a kind of `IoError`, from its nth time on. The process can be
// killed before any operation: that one and all after it do nothing. The power can fail: then only that is left which was
// waited for (fsync).
//
// A file that is removed while it is open stays for those who have it open, as in POSIX. An append that fails because
// of no room has written half of its octets.

import { IoError, type IoErrorKind } from "../../lib/ports/io_error.ts";
import { PlainChecksum } from "../../lib/runtime/shared/plain_checksum.ts";
import type { Checksum, Clock, File, FileFacts, Files } from "../../lib/ports/runtime.ts";
import { bytesOf, concat } from "../../lib/text/octets.ts";

export type DiskOperation =
  | "create"
  | "open"
  | "openLog"
  | "stat"
  | "lstat"
  | "rename"
  | "remove"
  | "list"
  | "syncDirectory"
  | "append"
  | "read"
  | "sync";

interface Node {
  octets: Uint8Array;
  /** The state of the files after a power failure. */
  synced: Uint8Array;
  kind: FileFacts["kind"];
  modified: number;
  executable?: boolean;
  isEverybodys?: boolean;
  readonly inode: number;
  changed: number;
  isOwn: boolean;
  isLocked: boolean;
}

/** Ends the code that a SIGKILL would end. */
export class Killed extends Error {
  override readonly name = "Killed";
}

interface Failure {
  readonly operation: DiskOperation;
  readonly kind: IoErrorKind;
  /** The path must end with this. */
  readonly ending: string;
  /** How often the operation goes well before. */
  left: number;
}

export class FakeDisk implements Files {
  readonly #clock: Clock;
  readonly #nodes = new Map<string, Node>();
  /** The names that a power failure leaves. */
  readonly #synced = new Map<string, Node>();
  #deathAt = Infinity;
  #inodes = 0;
  #failures: Failure[] = [];
  #stalled: PromiseWithResolvers<void> | undefined;
  /** Whether the system has locks. */
  hasLocks = true;
  /** Files that are open. */
  handles = 0;
  /** All operations so far, as `operation path`. */
  readonly operations: string[] = [];

  constructor(clock: Clock) {
    this.#clock = clock;
    this.mkdir("/tmp");
  }

  /** Makes `operation` fail with `kind` on paths with this `ending`, after it has gone well `after` times. */
  fail(operation: DiskOperation, kind: IoErrorKind, { ending = "", after = 0 } = {}): void {
    this.#failures.push({ operation, kind, ending, left: after });
  }

  mend(): void {
    this.#failures = [];
  }

  /** Kills the process when `count` more operations have been done. */
  killAfter(count: number): void {
    this.#deathAt = this.operations.length + count;
  }

  /** A new process, after that one was killed: its locks are gone. */
  restart(): void {
    this.#deathAt = Infinity;
    for (const node of this.#nodes.values()) node.isLocked = false;
  }

  /** The power fails, and comes back. Names that were not waited for are lost or kept: nobody can say. */
  cutPower(names: "lost" | "kept"): void {
    if (names === "lost") {
      for (const path of this.paths) this.#nodes.delete(path);
      for (const [path, node] of this.#synced) this.#nodes.set(path, node);
    }
    for (const node of this.#nodes.values()) node.octets = node.synced;
    this.restart();
  }

  /** Makes every append wait until `takeAppends`. */
  stallAppends(): void {
    this.#stalled ??= Promise.withResolvers();
  }

  takeAppends(): void {
    this.#stalled?.resolve();
    this.#stalled = undefined;
  }

  mkdir(path: string): void {
    this.#nodes.set(path, this.#newNode(new Uint8Array(0), "directory"));
  }

  /** The paths of all files that are not the system's. */
  get paths(): string[] {
    const files = Array.from(this.#nodes).filter(([, node]) => node.kind !== "directory").map(([path]) => path);
    return files.filter((path) => !path.startsWith("/proc/")).sort();
  }

  isDirectory(path: string): boolean {
    return this.#nodes.get(path)?.kind === "directory";
  }

  octetsOf(path: string): Uint8Array {
    return this.#node("stat", path).octets;
  }

  /** Writes into a file in place, as another process would. */
  overwrite(path: string, octets: Uint8Array): void {
    const node = this.#node("stat", path);
    node.octets = octets.slice();
    node.modified = node.changed = this.#clock.now();
  }

  /** Puts a new file where `path` leads, as rename(2) would. */
  replace(path: string, octets: Uint8Array, kind: FileFacts["kind"] = "file"): void {
    const node = this.#newNode(octets.slice(), kind);
    this.#nodes.set(path, node);
    this.#synced.set(path, node);
  }

  #newNode(octets: Uint8Array, kind: FileFacts["kind"]): Node {
    const now = this.#clock.now();
    const inode = ++this.#inodes;
    return { octets, synced: octets, kind, modified: now, changed: now, inode, isOwn: true, isLocked: false };
  }

  /** Gives the system an id of its boot, without which no file is marked as in use. */
  boot(id = "00000000-0000-4000-8000-000000000001"): void {
    this.replace("/proc/sys/kernel/random/boot_id", bytesOf(`${id}\n`));
  }

  /** Gives a file to another user. */
  giveAway(path: string): void {
    this.#node("stat", path).isOwn = false;
  }

  openToEverybody(path: string): void {
    this.#node("stat", path).isEverybodys = true;
  }

  makeExecutable(path: string): void {
    this.#node("stat", path).executable = true;
  }

  unlink(path: string): void {
    this.#nodes.delete(path);
  }

  async create(path: string): Promise<File> {
    this.#note("create", path);
    if (this.#nodes.has(path)) throw new IoError("exists", `cannot open ${path}: exists`);
    this.#nodes.set(path, this.#newNode(new Uint8Array(0), "file"));
    return this.#handle(path);
  }

  createReadable(path: string): Promise<File> {
    return this.create(path);
  }

  async createLocked(path: string, octets: Uint8Array): Promise<File | undefined> {
    if (!this.hasLocks) return undefined;
    this.#note("create", path);
    if (this.#nodes.has(path)) throw new IoError("exists", `cannot open ${path}: exists`);
    this.replace(path, octets);
    this.#node("open", path).isLocked = true;
    return this.#handle(path, true);
  }

  async open(path: string): Promise<File> {
    this.#note("open", path);
    this.#node("open", path);
    return this.#handle(path);
  }

  async openLog(path: string): Promise<File> {
    this.#note("openLog", path);
    if (!this.#nodes.has(path)) this.replace(path, new Uint8Array(0));
    return this.#handle(path);
  }

  async stat(path: string): Promise<FileFacts> {
    this.#note("stat", path);
    return factsOf(this.#node("stat", path));
  }

  async lstat(path: string): Promise<FileFacts> {
    this.#note("lstat", path);
    return factsOf(this.#node("lstat", path));
  }

  async rename(from: string, to: string): Promise<void> {
    this.#note("rename", to);
    this.#nodes.set(to, this.#node("rename", from));
    this.#nodes.delete(from);
  }

  async syncDirectory(path: string): Promise<void> {
    this.#note("syncDirectory", path);
    for (const name of this.#synced.keys()) if (name.startsWith(`${path}/`)) this.#synced.delete(name);
    for (const [name, node] of this.#nodes) if (name.startsWith(`${path}/`)) this.#synced.set(name, node);
  }

  async remove(path: string): Promise<void> {
    this.#note("remove", path);
    this.#nodes.delete(path);
  }

  newChecksum(): Checksum {
    return new PlainChecksum();
  }

  async list(directory: string): Promise<string[]> {
    this.#note("list", directory);
    const inside = this.paths.filter((path) => path.startsWith(`${directory}/`));
    return inside.map((path) => path.slice(directory.length + 1));
  }

  #handle(path: string, isLocked = false): File {
    const node = this.#node("open", path);
    let isOpen = true;
    this.handles++;
    const check = () => {
      if (!isOpen) throw new Error(`${path} is used after it was closed`);
    };
    return {
      append: async (octets) => {
        check();
        await this.#stalled?.promise;
        try {
          this.#note("append", path);
        } catch (error) {
          node.octets = concat([node.octets, octets.slice(0, octets.length >> 1)]);
          throw error;
        }
        node.octets = concat([node.octets, octets.slice()]);
        node.modified = node.changed = this.#clock.now();
      },
      read: async (into, at) => {
        check();
        this.#note("read", path);
        if (at >= node.octets.length) return null;
        const some = node.octets.subarray(at, at + into.length);
        into.set(some);
        return some.length;
      },
      stat: async () => {
        check();
        return factsOf(node);
      },
      backdate: async () => {
        check();
        node.modified = this.#clock.now() - 1000;
        node.changed = this.#clock.now();
      },
      sync: async () => {
        check();
        this.#note("sync", path);
        node.synced = node.octets;
      },
      isUnlocked: async () => {
        check();
        return this.hasLocks && !node.isLocked;
      },
      lock: async () => {
        check();
        if (!this.hasLocks || node.isLocked) return false;
        return node.isLocked = isLocked = true;
      },
      close: () => {
        check();
        isOpen = false;
        if (isLocked) node.isLocked = false;
        this.handles--;
      },
    };
  }

  #node(what: string, path: string): Node {
    const node = this.#nodes.get(path);
    if (!node) throw new IoError("missing", `cannot ${what} ${path}: no such file`);
    return node;
  }

  #note(operation: DiskOperation, path: string): void {
    if (this.operations.length >= this.#deathAt) throw new Killed(`killed before ${operation} ${path}`);
    this.operations.push(`${operation} ${path}`);
    for (const failure of this.#failures) {
      if (failure.operation !== operation || !path.endsWith(failure.ending)) continue;
      if (failure.left > 0) failure.left--;
      else throw new IoError(failure.kind, `cannot ${operation} ${path}: ${failure.kind}`);
    }
  }
}

function factsOf(node: Node): FileFacts {
  const { kind, octets, modified, changed, executable = false, inode, isOwn, isEverybodys = false } = node;
  return { kind, size: octets.length, modified, changed, executable, device: 1, inode, isOwn, isEverybodys };
}
