// Makes the packages: dist/postprox_VERSION_ARCH.deb, dist/postprox-VERSION-linux-ARCH.tar.gz, and dist/SHA256SUMS. The
// sums are of all packages and of executables with a target in their name that are then in dist/.
//
//     deno task package [--outdir=DIR] [--executable=FILE] [--compression=none]
//
// It takes the executable dist/postprox, from compile or compile:bun. If that is missing or older than the source, it
// makes it. FILE may be an executable for another machine. It needs dpkg-deb, tar and gzip. Two runs at one commit with
// one executable give the same octets: every file has the time of the commit (or of SOURCE_DATE_EPOCH) and belongs to
// root, and files are in order of their names. Without compression it takes a second, not twenty: to compare two builds.
// The texts for dpkg and systemd are in scripts/package/.

import { createHash } from "node:crypto";
import { allOptions, readWords } from "../lib/commands/commands.ts";
import { postfixLine } from "../lib/commands/postfix_config.ts";
import { formatPostfixConfig } from "../lib/commands/postfix_config/postfix_config.ts";
import { formatUnit } from "../lib/commands/postfix_config/systemd_unit.ts";
import { VERSION, VERSION_TEXT } from "../lib/commands/version.ts";
import {
  BuildError,
  glibcOf,
  hasSections,
  inWorkshop,
  machineOf,
  readArguments,
  ROOT,
  runBuild,
  runTool,
} from "./build.ts";
import { commentedConfig, CONFIG_OPTIONS } from "./commented_config.ts";
import { completionFiles, namedCommands } from "./completions.ts";
import { manualPage } from "./man.ts";

const OPTIONS = await allOptions();
const COMPLETIONS = completionFiles(OPTIONS, await namedCommands());

const CONFIG_FILE = "etc/postprox/postprox.conf";

const ARCHITECTURES = { x64: "amd64", arm64: "arm64" } as const;

const MAINTAINER_SCRIPTS = ["postinst", "prerm", "postrm"];

/** SHA256SUMS lists these of the files in the output directory. */
const RELEASED = /^postprox[-_][^/]+$/;

/** One file of a package: its place, its content (text, or the path of another file), and whether it is a program. */
interface Item {
  readonly to: string;
  readonly content: string | { readonly copyOf: string };
  readonly compressed?: boolean;
  readonly program?: boolean;
}

interface Making {
  readonly workshop: string;
  /** The time of all files, in seconds. */
  readonly epoch: number;
  readonly isCompressed: boolean;
}

interface Executable {
  readonly path: string;
  readonly architecture: string;
  /** The oldest glibc that it runs with, such as `2.29`. */
  readonly libc: string;
}

if (import.meta.main) await runBuild("package", main);

async function main(): Promise<void> {
  const { options } = readArguments(Deno.args, { options: ["outdir", "executable", "compression"], targets: [] });
  const outdir = options.get("outdir") ?? `${ROOT}dist`;
  const compression = options.get("compression");
  if (compression !== undefined && compression !== "none") {
    throw new BuildError(`--compression=${compression}: give none, or leave it out`);
  }
  const epoch = await commitTime();
  await inWorkshop(outdir, async (workshop) => {
    const executable = await lookAt(options.get("executable") ?? await ownExecutable());
    const making = { workshop, epoch, isCompressed: compression === undefined };
    const made = [await makeDeb(executable, making), await makeTarball(executable, making)];
    for (const name of made) {
      Deno.renameSync(`${workshop}/${name}`, `${outdir}/${name}`);
      console.log(`${outdir}/${name}: ${(Deno.statSync(`${outdir}/${name}`).size / 1e6).toFixed(0)} MB`);
    }
    Deno.writeTextFileSync(`${workshop}/SHA256SUMS`, checksums(outdir));
    Deno.renameSync(`${workshop}/SHA256SUMS`, `${outdir}/SHA256SUMS`);
  });
}

// --- The content

async function commitTime(): Promise<number> {
  const given = Deno.env.get("SOURCE_DATE_EPOCH");
  if (given && /^[0-9]+$/.test(given)) return Number(given);
  if (given) throw new BuildError(`SOURCE_DATE_EPOCH=${given} is no count of seconds`);
  const git = await runTool(["git", "log", "-1", "--format=%ct"], { install: "git", cwd: ROOT });
  if (git.success) return Number(git.stdout);
  throw new BuildError("this is no git checkout, so no commit gives the date: set SOURCE_DATE_EPOCH");
}

async function ownExecutable(): Promise<string> {
  const path = `${ROOT}dist/postprox`;
  const isThere = exists(path);
  if (
    isThere && modified(path) >= Math.max(...["main.ts", "main_bun.ts", "lib"].map((name) => modified(ROOT + name)))
  ) {
    return path;
  }
  const script = Deno.env.get("DENORT_BIN") ? "compile.ts" : "compile_bun.ts";
  console.log(`${path} is ${isThere ? "older than the source" : "not there"}; scripts/${script} makes it`);
  const build = await runTool([Deno.execPath(), "run", "-A", `${ROOT}scripts/${script}`], { install: "Deno" });
  if (!build.success) throw new BuildError(`no executable: ${build.stderr.trimEnd().split("\n").at(-1)}`);
  return path;
}

async function lookAt(path: string): Promise<Executable> {
  if (!exists(path)) throw new BuildError(`--executable=${path}: there is no such file`);
  const machine = machineOf(path);
  const glibc = glibcOf(path);
  if (machine === undefined || glibc === undefined) {
    throw new BuildError(`${path} is no executable for Linux with glibc, which Debian has`);
  }
  if (machine === (Deno.build.arch === "aarch64" ? "arm64" : "x64")) {
    const { success, stdout } = await runTool([Deno.realPathSync(path), "--version"], { install: "it again" });
    if (!success || stdout !== VERSION_TEXT) {
      throw new BuildError(`${path} is not postprox ${VERSION}: make it again with deno task compile or compile:bun`);
    }
  }
  return { path, architecture: ARCHITECTURES[machine], libc: `2.${glibc}` };
}

function debItems(executable: Executable): readonly Item[] {
  const doc = "usr/share/doc/postprox";
  return [
    { to: "usr/sbin/postprox", content: { copyOf: executable.path }, program: true },
    { to: "usr/share/man/man8/postprox.8.gz", content: manualPage(OPTIONS), compressed: true },
    { to: "usr/share/bash-completion/completions/postprox", content: COMPLETIONS["postprox.bash"]! },
    { to: "usr/share/zsh/vendor-completions/_postprox", content: COMPLETIONS["_postprox"]! },
    { to: "usr/share/fish/vendor_completions.d/postprox.fish", content: COMPLETIONS["postprox.fish"]! },
    { to: "usr/lib/systemd/system/postprox.service", content: unit() },
    { to: "usr/lib/systemd/system/postprox.socket", content: source("scripts/package/postprox.socket") },
    { to: "usr/lib/tmpfiles.d/postprox.conf", content: source("scripts/package/tmpfiles.conf") },
    { to: CONFIG_FILE, content: commentedConfig(CONFIG_OPTIONS) },
    { to: "etc/default/postprox", content: source("scripts/package/default") },
    { to: "etc/logrotate.d/postprox", content: source("scripts/package/logrotate") },
    { to: "usr/share/lintian/overrides/postprox", content: lintianOverrides(executable) },
    { to: `${doc}/changelog.gz`, content: debianChangelog(), compressed: true },
    { to: `${doc}/CHANGELOG.md`, content: source("CHANGELOG.md") },
    { to: `${doc}/copyright`, content: copyright() },
    ...texts(doc),
    ...examples(`${doc}/examples`),
  ];
}

function tarballItems(executable: Executable): readonly Item[] {
  return [
    { to: "postprox", content: { copyOf: executable.path }, program: true },
    { to: "postprox.8", content: manualPage(OPTIONS) },
    ...Object.entries(COMPLETIONS).map(([name, content]) => ({ to: `completions/${name}`, content })),
    { to: "postprox.conf", content: commentedConfig(CONFIG_OPTIONS) },
    { to: "systemd/postprox.service", content: unit() },
    { to: "systemd/postprox.socket", content: source("scripts/package/postprox.socket") },
    { to: "systemd/default", content: source("scripts/package/default") },
    { to: "systemd/tmpfiles.conf", content: source("scripts/package/tmpfiles.conf") },
    { to: "logrotate", content: source("scripts/package/logrotate") },
    { to: "CHANGELOG.md", content: source("CHANGELOG.md") },
    { to: "LICENSE", content: source("LICENSE") },
    ...texts("."),
    ...examples("examples"),
  ];
}

function unit(): string {
  return formatUnit({
    about: [
      "postprox in listen mode. Write your settings into /etc/postprox/postprox.conf,",
      "then: systemctl enable --now postprox",
      "",
      "Options in /etc/default/postprox have precedence over that file. Another",
      "directory for messages (tempdir) needs ReadWritePaths= in a drop-in.",
      "",
      "With postprox.socket no client notices a restart. That file says how.",
    ],
    environmentFile: "-/etc/default/postprox",
    program: "/usr/sbin/postprox",
    options: `--config=/${CONFIG_FILE} $POSTPROX_OPTIONS`,
    writable: ["/var/spool/postprox"],
  });
}

// The README, and the files that it links to.
function texts(folder: string): readonly Item[] {
  const documents = (folder: string) =>
    Array.from(Deno.readDirSync(`${ROOT}${folder}`), ({ name }) => `${folder}/${name}`);
  const docs = [...documents("docs"), ...documents("docs/proofs")].filter((name) => name.endsWith(".md")).sort();
  const names = ["README.md", "SECURITY.md", "CONTRIBUTING.md", ...docs];
  return names.map((name) => ({ to: `${folder}/${name}`, content: source(name) }));
}

function examples(folder: string): readonly Item[] {
  return [
    { to: `${folder}/clamdscan-filter`, content: source("examples/clamdscan-filter"), program: true },
    ...["alerts.yml", "grafana.json", "prometheus.yml"].map((name) => ({
      to: `${folder}/monitoring/${name}`,
      content: source(`examples/monitoring/${name}`),
    })),
    { to: `${folder}/postfix-listen`, content: postfixLines("listen") },
    { to: `${folder}/postfix-spawn`, content: postfixLines("spawn") },
  ];
}

// The packages have their own unit, so the one for pasting is left out.
function postfixLines(mode: "listen" | "spawn"): string {
  const words = ["-v", "-d", "/var/spool/postprox", "-c", "/usr/local/bin/clamdscan-filter", "127.0.0.1:10026"];
  const { line } = readWords([`--postfix-config=${mode}`, ...words]);
  const parts = formatPostfixConfig(postfixLine(line), ["/usr/sbin/postprox"]).split(/^(?=# ---- )/m);
  return parts.filter((part) => !part.startsWith("# ---- /etc/systemd/")).join("");
}

// The changelog of the package. CHANGELOG.md is about the program.
function debianChangelog(): string {
  const changelog = source("scripts/package/changelog");
  if (changelog.startsWith(`postprox (${VERSION}) `)) return changelog;
  throw new BuildError(`scripts/package/changelog does not begin with version ${VERSION}: write its entry`);
}

function copyright(): string {
  // Debian's format wants a blank before each line, and a dot in an empty line.
  const license = source("LICENSE").split(/\n\n/).slice(1).join("\n\n").trimEnd();
  const lines = license.split("\n").map((line) => line === "" ? " ." : ` ${line}`);
  return source("scripts/package/copyright").replace("@LICENSE@", () => lines.join("\n"));
}

// The last reason is for symbols. Lintian wants no reason that is not needed.
function lintianOverrides({ path }: Executable): string {
  const reasons = source("scripts/package/lintian-overrides").split("\n\n");
  return hasSections(path) ? reasons.join("\n\n") : `${reasons.slice(0, -1).join("\n\n")}\n`;
}

function controlFile({ architecture, libc }: Executable, kilobytes: number): string {
  return `Package: postprox
Version: ${VERSION}
Architecture: ${architecture}
Maintainer: postprox developers <postprox@localhost>
Installed-Size: ${kilobytes}
Depends: adduser, libc6 (>= ${libc})
Recommends: postfix
Suggests: clamdscan, logrotate
Section: mail
Priority: optional
Description: content filter proxy for Postfix
 postprox stands between two Postfix SMTP servers (smtpd_proxy_filter), relays
 the SMTP dialogue as it is, has a filter command judge each message, and then
 passes the message on, changed or unchanged, or refuses it while its sender
 still waits for the reply. So nothing has to be bounced later.
`;
}

// --- The packages

async function makeDeb(executable: Executable, { workshop, epoch, isCompressed }: Making): Promise<string> {
  const tree = `${workshop}/deb`;
  const items = debItems(executable);
  for (const item of items) await put(tree, item);
  const md5sums = items.map(({ to }) => `${digestOf("md5", `${tree}/${to}`)}  ${to}\n`).join("");
  const kilobytes = items.reduce((sum, { to }) => sum + Math.ceil(Deno.statSync(`${tree}/${to}`).size / 1024), 0);
  await put(tree, { to: "DEBIAN/control", content: controlFile(executable, kilobytes) });
  const conffiles = items.filter(({ to }) => to.startsWith("etc/")).map(({ to }) => `/${to}\n`).join("");
  await put(tree, { to: "DEBIAN/conffiles", content: conffiles });
  await put(tree, { to: "DEBIAN/md5sums", content: md5sums });
  for (const name of MAINTAINER_SCRIPTS) {
    await put(tree, { to: `DEBIAN/${name}`, content: source(`scripts/package/${name}`), program: true });
  }
  setTimes(tree, epoch);
  const name = `postprox_${VERSION}_${executable.architecture}.deb`;
  // The first level of xz takes a fifth of the time of its default level, and gives an eighth more octets. The number
  // of threads changes the result, so it is fixed.
  const how = isCompressed ? ["-Zxz", "-z1", "--threads-max=1"] : ["-Znone"];
  const words = ["dpkg-deb", "--root-owner-group", ...how, "-b", tree, `${workshop}/${name}`];
  await make(words, "dpkg", { SOURCE_DATE_EPOCH: String(epoch) });
  return name;
}

async function makeTarball(executable: Executable, { workshop, epoch, isCompressed }: Making): Promise<string> {
  const folder = `postprox-${VERSION}-linux-${executable.architecture}`;
  for (const item of tarballItems(executable)) await put(`${workshop}/${folder}`, item);
  setTimes(`${workshop}/${folder}`, epoch);
  const name = `${folder}.tar${isCompressed ? ".gz" : ""}`;
  const same = ["--sort=name", "--format=ustar", "--owner=root:0", "--group=root:0"];
  const words = [
    "tar",
    "-C",
    workshop,
    ...same,
    ...isCompressed ? ["-I", "gzip -n"] : [],
    "-cf",
    `${workshop}/${name}`,
    folder,
  ];
  await make(words, "tar and gzip");
  return name;
}

async function put(tree: string, { to, content, compressed, program }: Item): Promise<void> {
  const path = `${tree}/${to}`;
  makeFolders(tree, to.split("/").slice(0, -1));
  if (typeof content !== "string") Deno.copyFileSync(content.copyOf, path);
  else if (!compressed) Deno.writeTextFileSync(path, content);
  else {
    Deno.writeTextFileSync(path.slice(0, -".gz".length), content);
    await make(["gzip", "-9n", path.slice(0, -".gz".length)], "gzip");
  }
  Deno.chmodSync(path, program ? 0o755 : 0o644);
}

function makeFolders(tree: string, names: readonly string[]): void {
  for (let count = 0; count <= names.length; count++) {
    const path = [tree, ...names.slice(0, count)].join("/");
    Deno.mkdirSync(path, { recursive: true });
    // The umask here must not matter.
    Deno.chmodSync(path, 0o755);
  }
}

function setTimes(path: string, epoch: number): void {
  if (Deno.statSync(path).isDirectory) {
    for (const { name } of Deno.readDirSync(path)) setTimes(`${path}/${name}`, epoch);
  }
  Deno.utimeSync(path, epoch, epoch);
}

async function make(words: readonly string[], install: string, env: Record<string, string> = {}): Promise<void> {
  const { success, stderr } = await runTool(words, { install, env: { LC_ALL: "C", ...env } });
  if (!success) throw new BuildError(`${words[0]} failed: ${stderr.trim().split("\n")[0] || "it gave no reason"}`);
}

function checksums(outdir: string): string {
  const names = Array.from(Deno.readDirSync(outdir)).filter(({ name, isFile }) => isFile && RELEASED.test(name));
  return names.map(({ name }) => name).sort().map((name) => `${digestOf("sha256", `${outdir}/${name}`)}  ${name}\n`)
    .join("");
}

// --- Files

function digestOf(algorithm: string, path: string): string {
  return createHash(algorithm).update(Deno.readFileSync(path)).digest("hex");
}

function source(name: string): string {
  return Deno.readTextFileSync(`${ROOT}${name}`);
}

function exists(path: string): boolean {
  try {
    return Deno.statSync(path).isFile;
  } catch {
    return false;
  }
}

/** The time of the last change of a file, or of the newest file in a directory. In milliseconds. */
function modified(path: string): number {
  const { mtime, isDirectory } = Deno.statSync(path);
  const inside = isDirectory ? Array.from(Deno.readDirSync(path), ({ name }) => modified(`${path}/${name}`)) : [];
  return Math.max(mtime!.getTime(), ...inside);
}
