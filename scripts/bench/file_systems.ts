// The file systems that a spool is measured on: memory, ext4 with a journal as installers make it, and that of TMPDIR.

import { runTool } from "../build.ts";
import { inMemory } from "./bed.ts";
import type { Bench } from "./group.ts";

export interface FileSystem {
  readonly name: string;
  /** A directory on it. */
  readonly directory: string;
}

/** Gives `work` each of them once. ext4 in a file needs root and a loop device. */
export async function onFileSystems<T>(bench: Bench, work: (systems: readonly FileSystem[]) => Promise<T>): Promise<T> {
  return await inMemory(async (memory) => {
    const systems: FileSystem[] = [];
    for (const directory of [memory, bench.directory]) {
      const name = await nameOf(directory);
      if (!systems.some((system) => system.name === name)) systems.push({ name, directory });
    }
    if (systems.some(({ name }) => name === EXT4)) return await work(systems);
    return await onImage(bench.directory, async (image) => {
      if (image) systems.push({ name: EXT4, directory: image });
      else bench.note("ext4 with a journal is left out: it needs root, a loop device and e2fsprogs");
      return await work(systems);
    });
  });
}

const EXT4 = "ext4";

async function nameOf(directory: string): Promise<string> {
  const { stdout } = await runTool(["df", "--output=source,fstype", directory], { install: "coreutils" });
  const [source = "", type = ""] = stdout.trim().split("\n").at(-1)!.split(/\s+/);
  if (type !== EXT4) return type;
  // The journal has inode 8 (e2fsprogs, ext2_fs.h: EXT2_JOURNAL_INO).
  const hasJournal = await exists(`/proc/fs/jbd2/${source.replace(/^.*\//, "")}-8`);
  return hasJournal ? EXT4 : `${EXT4} without a journal`;
}

async function exists(path: string): Promise<boolean> {
  return await Deno.stat(path).then(() => true, () => false);
}

const IMAGE_SIZE = 256 * 1024 * 1024;

/** Gives `work` a directory on a new ext4 in a file; undefined if it cannot be mounted here. */
async function onImage<T>(directory: string, work: (image: string | undefined) => Promise<T>): Promise<T> {
  const [image, mounted] = [`${directory}/ext4.img`, `${directory}/ext4`];
  await Deno.mkdir(mounted);
  await Deno.writeFile(image, new Uint8Array(0));
  await Deno.truncate(image, IMAGE_SIZE);
  const made = await succeeds("mkfs.ext4", "-q", "-F", image) && await succeeds("mount", "-o", "loop", image, mounted);
  try {
    return await work(made ? mounted : undefined);
  } finally {
    // After an error a program may still have files open there.
    if (made) await succeeds("umount", "--lazy", mounted);
  }
}

async function succeeds(...words: readonly string[]): Promise<boolean> {
  return await runTool(words, { install: "mount and e2fsprogs" }).then(({ success }) => success, () => false);
}
