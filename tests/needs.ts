// Everything that tests need beyond Deno, in one place: the means, the Debian package that brings each, and the suites
// that need them. `deno task test` (scripts/test.ts) reads it. So do tests if only a part of their file needs
// something.
//
// If the means of a suite are missing, the suite is left out. Without `part`, all of its files are left out. With
// `part`, only those tests are left out that say `ignore: isLeftOut(PART)`. A test that is ignored without such a row
// is a failure.

import { BUN_VERSION } from "../scripts/compile_bun.ts";

export interface Means {
  readonly isHere: () => boolean;
  /** The package that brings it, on Debian and Ubuntu. */
  readonly debian?: string;
  /** Other help, or the reason for it. */
  readonly hint?: string;
  /** Few machines have it and no package brings it. A suite without it is left out under --install too, and named. */
  readonly rare?: true;
}

/** By the name under which people know them. */
export const MEANS = {
  "Linux": { isHere: () => Deno.build.os === "linux" },
  "root": { isHere: () => Deno.uid() === 0 },
  "the right to mount": { isHere: () => says(["unshare", "--mount", "true"]), hint: "a container: --privileged" },
  "--install": { isHere: () => Deno.env.get("POSTPROX_TEST_INSTALL") !== "no", hint: "it changes this machine" },
  "npm's Bun": { isHere: () => says(["npx", "-y", `bun@${BUN_VERSION}`, "--version"]) },
  "GNU grep": { isHere: () => says(["grep", "--version"], /\(GNU grep\)/), debian: "grep" },
  "python3": { isHere: () => says(["python3", "--version"]), debian: "python3" },
  "aiosmtpd": {
    // Debian's own Python: only that one finds Debian's packages.
    isHere: () => says(["/usr/bin/python3", "-c", "import aiosmtpd"]),
    debian: "python3-aiosmtpd",
  },
  "Postfix": { isHere: () => has("postfix"), debian: "postfix" },
  "nsd": { isHere: () => has("nsd"), debian: "nsd" },
  "rbldnsd": { isHere: () => has("rbldnsd"), debian: "rbldnsd" },
  "rspamd": { isHere: () => has("rspamd"), debian: "rspamd" },
  "spamd": { isHere: () => has("spamd"), debian: "spamd" },
  "Prometheus": { isHere: () => has("prometheus") && has("promtool"), debian: "prometheus" },
  "openssl": { isHere: () => has("openssl"), debian: "openssl" },
  "clamd": { isHere: () => has("clamd"), debian: "clamav-daemon" },
  "dnsmasq": { isHere: () => has("dnsmasq"), debian: "dnsmasq-base" },
  "systemd": { isHere: () => has("systemd-analyze"), debian: "systemd" },
  "ip(8)": { isHere: () => has("ip"), debian: "iproute2" },
  "dpkg-deb": { isHere: () => has("dpkg-deb"), debian: "dpkg" },
  "logrotate": { isHere: () => has("logrotate"), debian: "logrotate" },
  "lintian": { isHere: () => has("lintian"), debian: "lintian" },
  "adduser": { isHere: () => has("adduser"), debian: "adduser" },
  "bash": { isHere: () => has("bash"), debian: "bash" },
  "zsh": { isHere: () => has("zsh"), debian: "zsh" },
  "fish": { isHere: () => has("fish"), debian: "fish" },
  "Chromium": { isHere: () => has("chromium"), debian: "chromium" },
  "promtool": { isHere: () => has("promtool"), debian: "prometheus" },
  "mandoc": { isHere: () => has("mandoc"), debian: "mandoc" },
  "groff": { isHere: () => has("groff"), debian: "groff-base" },
  "DENORT_BIN": { isHere: () => Deno.env.has("DENORT_BIN"), hint: "a base binary of deno compile", rare: true },
} satisfies Record<string, Means>;

export type MeansName = keyof typeof MEANS;

export interface Suite {
  /** A file below tests/, or a folder, with a slash at its end. */
  readonly where: string;
  readonly needs: readonly MeansName[];
  /** Tests that are not the whole of a file, by a name for people. */
  readonly part?: string;
}

const POSTFIX = ["Linux", "root", "Postfix"] as const;
const NAMESPACES = ["Linux", "root", "the right to mount"] as const;
const NAME_SERVERS = ["Linux", "root", "nsd", "rbldnsd", "dnsmasq"] as const;

export const SUITES: readonly Suite[] = [
  { where: "pattern/grep_test.ts", needs: ["GNU grep"] },
  { where: "scripts/man_test.ts", needs: ["mandoc", "groff"] },
  { where: "scripts/completions_test.ts", needs: ["python3", "bash", "zsh", "fish"] },

  { where: "scripts/bench_test.ts", needs: [...POSTFIX, "python3"] },

  { where: "runtime/contract_test.ts", needs: ["Linux", "python3"] },
  { where: "runtime/contract_test.ts", part: "the runtime adapter for Bun", needs: ["npm's Bun"] },
  { where: "runtime/contract_test.ts", part: "a host with several addresses", needs: NAMESPACES },
  { where: "runtime/contract_test.ts", part: "hosts that cannot be reached", needs: [...NAMESPACES, "ip(8)"] },
  { where: "runtime/executable_test.ts", needs: ["Linux", "npm's Bun"] },

  { where: "blackbox/", needs: ["Linux", "python3"] },
  { where: "blackbox/listen_test.ts", part: "a name with several addresses", needs: NAMESPACES },
  { where: "blackbox/listen_test.ts", part: "containers that share a spool", needs: NAMESPACES },
  { where: "blackbox/spool_test.ts", part: "a full disk", needs: NAMESPACES },
  { where: "blackbox/quarantine_test.ts", part: "a quarantine on a full disk", needs: NAMESPACES },
  { where: "blackbox/reload_test.ts", part: "a reload of a service that has given up root", needs: ["root"] },
  { where: "blackbox/user_test.ts", part: "a program that gives up root", needs: ["root"] },
  { where: "blackbox/user_test.ts", part: "a user with more groups", needs: NAMESPACES },

  { where: "hostile/", needs: ["Linux", "python3"] },
  { where: "hostile/hostile_test.ts", part: "hostile octets to a real Postfix", needs: POSTFIX },
  { where: "hostile/hostile_test.ts", part: "hostile octets to aiosmtpd", needs: ["aiosmtpd"] },

  { where: "endurance/endurance_test.ts", needs: ["Linux", "Postfix"] },
  { where: "endurance/ledger_test.ts", needs: POSTFIX },
  { where: "endurance/restarts_test.ts", needs: ["Linux", "python3"] },
  { where: "endurance/restarts_test.ts", part: "restarts through Postfix", needs: POSTFIX },
  {
    where: "endurance/restarts_test.ts",
    part: "restarts under systemd",
    needs: [...NAMESPACES, "Postfix", "systemd", "ip(8)"],
  },

  { where: "e2e/postfix_test.ts", needs: POSTFIX },
  { where: "e2e/quarantine_test.ts", needs: POSTFIX },
  { where: "e2e/doctor_test.ts", needs: POSTFIX },
  { where: "e2e/postfix_config_lines_test.ts", needs: [...POSTFIX, "--install"] },
  { where: "e2e/deterrent_test.ts", needs: POSTFIX },
  { where: "e2e/deterrent_dns_test.ts", needs: [...NAME_SERVERS, "python3"] },
  { where: "e2e/dns_test.ts", needs: [...NAME_SERVERS, "Postfix", "python3"] },
  { where: "e2e/clamd_test.ts", needs: ["Linux", "clamd", "python3"] },
  { where: "e2e/clamd_test.ts", part: "clamd behind Postfix", needs: POSTFIX },
  { where: "e2e/rspamd_test.ts", needs: ["Linux", "root", "rspamd", "openssl", "python3"] },
  { where: "e2e/rspamd_test.ts", part: "rspamd behind Postfix", needs: POSTFIX },
  { where: "e2e/spamd_test.ts", needs: ["Linux", "root", "spamd", "python3"] },
  { where: "e2e/spamd_test.ts", part: "spamd behind Postfix", needs: POSTFIX },
  { where: "e2e/urls_test.ts", needs: [...NAME_SERVERS, "python3"] },
  { where: "e2e/urls_test.ts", part: "URL lists behind Postfix", needs: POSTFIX },
  { where: "e2e/monitoring_test.ts", needs: ["Linux", "promtool"] },
  { where: "e2e/status_page_test.ts", needs: ["Linux", "Chromium"] },
  { where: "e2e/health_test.ts", needs: ["Linux", "root", "clamd", "rspamd", "spamd"] },
  { where: "e2e/metrics_test.ts", needs: ["Linux", "Prometheus", "python3"] },
  { where: "e2e/journal_test.ts", needs: [...NAMESPACES, "systemd", "ip(8)"] },
  {
    where: "e2e/reload_test.ts",
    part: "a reload under systemd",
    needs: [...NAMESPACES, "Postfix", "systemd", "ip(8)"],
  },
  { where: "e2e/compile_test.ts", needs: ["Linux", "python3"] },
  {
    where: "e2e/compile_test.ts",
    part: "the executable of deno compile",
    needs: ["DENORT_BIN"],
  },
  {
    where: "e2e/package_test.ts",
    part: "the Debian package, installed",
    needs: [
      ...POSTFIX,
      "the right to mount",
      "systemd",
      "ip(8)",
      "dpkg-deb",
      "adduser",
      "logrotate",
      "lintian",
      "npm's Bun",
      "--install",
    ],
  },
];

/** Files that run one at a time: they change something that a machine has only once. */
export const ALONE: readonly string[] = ["e2e/package_test.ts", "e2e/postfix_config_lines_test.ts"];

/** Whether no other such file may run beside it. */
export function isAlone(file: string): boolean {
  return ALONE.some((where) => isIn(where, file));
}

/** Files that take more than 20 seconds. They begin first, so that no processor has nothing to do at the end. */
export const LONG: readonly string[] = [
  "endurance/",
  "faults/faults_test.ts",
  "hostile/hostile_test.ts",
  "e2e/postfix_test.ts",
  "runtime/contract_test.ts",
  "blackbox/gone_test.ts",
  "blackbox/scanner_faults_test.ts",
  "blackbox/content_checks_test.ts",
  "e2e/doctor_test.ts",
];

export function isLong(file: string): boolean {
  return LONG.some((where) => isIn(where, file));
}

/**
 * Files that mostly wait: all their processes together take less than a third of a processor's time. One of them runs
 * beside the others.
 */
export const WAITING: readonly string[] = [
  "e2e/postfix_config_lines_test.ts",
  "runtime/contract_test.ts",
  "blackbox/gone_test.ts",
  "blackbox/scanner_faults_test.ts",
  "blackbox/content_checks_test.ts",
  "blackbox/deterrent_test.ts",
  "blackbox/doctor_test.ts",
  "blackbox/metrics_test.ts",
  "blackbox/notify_test.ts",
  "dns/stub_resolver_test.ts",
  "e2e/deterrent_dns_test.ts",
  "e2e/urls_test.ts",
];

export function isWaiting(file: string): boolean {
  return WAITING.some((where) => isIn(where, file));
}

const known = new Set<MeansName>();

/** Whether the machine has it. Means that are there are asked for once. Missing ones may be installed meanwhile. */
export function isHere(name: MeansName): boolean {
  if (!known.has(name) && MEANS[name].isHere()) known.add(name);
  return known.has(name);
}

/** The means that a suite needs and this machine lacks. */
export function missing({ needs }: Suite): MeansName[] {
  return needs.filter((name) => !isHere(name));
}

/** Whether this part of a file is left out here. For `Deno.test({ ignore })`. */
export function isLeftOut(part: string): boolean {
  const suite = SUITES.find((suite) => suite.part === part);
  if (!suite) throw new Error(`tests/needs.ts has no part ${part}`);
  return missing(suite).length > 0;
}

/** Whether a file, by its name below tests/, is that of a row. */
export function isIn(where: string, file: string): boolean {
  return where === file || (where.endsWith("/") && file.startsWith(where));
}

/** Programs are looked for where administrators have them, too. */
function has(program: string): boolean {
  const folders = (Deno.env.get("PATH") ?? "").split(":").concat("/usr/local/sbin", "/usr/sbin", "/sbin");
  return folders.some((folder) => {
    try {
      return Deno.statSync(`${folder}/${program}`).isFile;
    } catch {
      return false;
    }
  });
}

/** Whether the program runs, ends with status 0 and prints `what`. */
function says([program, ...args]: readonly [string, ...string[]], what = /(?:)/): boolean {
  try {
    const { success, stdout } = new Deno.Command(program, { args, stdin: "null", stderr: "null" }).outputSync();
    return success && what.test(new TextDecoder().decode(stdout));
  } catch {
    return false;
  }
}
