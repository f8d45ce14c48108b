// A real rspamd for tests: Debian's, with a small configuration and a few symbols that are made here. Nothing is downloaded,
// and nothing of the system's own rspamd is read or touched. It asks no DNS.
//
// A message's field `X-Test` says what the symbol TEST does (RULES). GTUBE, the test message of all spam filters, is built in.
// It has a directory of its own under /tmp and ports at 127.0.0.1: for a normal worker, for a controller, which wants a
// password, and for the milter. It is ended by its pid.

import { freePorts } from "../rig/ports.ts";
import { within } from "../rig/wait.ts";
import { Daemon } from "./daemon.ts";
import { findProgram, groupOfUser, USER, userId } from "./postfix.ts";
import { isListening } from "./start.ts";

/** A line of a message that is spam to rspamd and to SpamAssassin. It has two parts, so that this file is not spam. */
export const GTUBE = "XJS*C4JDBQADN1.NSBN3*2IDNEN*GTUBE-STANDARD-" + "ANTI-UBE-TEST-EMAIL*C.34X";

export const PASSWORD = "s3cret-password";

export class Rspamd {
  /** Addresses, as options have them. */
  readonly normal: string;
  readonly controller: string;
  readonly milter: string;
  readonly #daemon = new Daemon("rspamd");
  readonly #ports: readonly number[];

  static async start(): Promise<Rspamd> {
    const program = ["/usr/bin/rspamd", "/usr/sbin/rspamd"].find(isFile) ?? findProgram("rspamd", "rspamd");
    const rspamd = new Rspamd(await freePorts(3));
    try {
      rspamd.#configure();
      const args = ["-f", "-c", `${rspamd.#daemon.dir}/rspamd.conf`, "-u", USER, "-g", "nogroup"];
      await rspamd.#daemon.run(program, args, () => rspamd.#isUp());
      return rspamd;
    } catch (error) {
      await rspamd.stop();
      throw error;
    }
  }

  private constructor(ports: readonly number[]) {
    this.#ports = ports;
    const [normal, controller, milter] = ports.map((port) => `127.0.0.1:${port}`);
    this.normal = normal!;
    this.controller = controller!;
    this.milter = milter!;
  }

  /** Of the process that has started the workers. */
  get pid(): number {
    return this.#daemon.pid;
  }

  get log(): string {
    return this.#daemon.log;
  }

  async stop(): Promise<void> {
    await this.#daemon.stop();
  }

  #configure(): void {
    const { dir } = this.#daemon;
    const key = new Deno.Command("openssl", {
      args: ["genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:1024", "-out", `${dir}/key.pem`],
      stdin: "null",
      stdout: "null",
      stderr: "null",
    }).outputSync();
    if (!key.success) throw new Error("openssl made no key");
    Deno.writeTextFileSync(`${dir}/rspamd.conf`, this.#configuration());
    Deno.writeTextFileSync(`${dir}/rules.lua`, RULES.replaceAll("DIR", dir));
    Deno.writeTextFileSync(`${dir}/tld`, "example\norg\n");
    for (const name of [".", "rspamd.conf", "rules.lua", "tld", "key.pem"]) {
      Deno.chownSync(`${dir}/${name}`, userId(USER), groupOfUser(USER));
    }
  }

  #configuration(): string {
    const { dir } = this.#daemon;
    return `options {
  pidfile = "${dir}/pid"; tempdir = "${dir}"; hs_cache_dir = "${dir}"; url_tld = "${dir}/tld";
  control_socket = "${dir}/control mode=0600"; disable_hyperscan = true; filters = "dkim";
  dns { nameserver = ["127.0.0.1:9:1"]; timeout = 0.1s; retransmits = 1; }
}
logging { type = "file"; filename = "${dir}/log"; level = "notice"; }
worker "normal" { bind_socket = "${this.normal}"; count = 1; }
worker "controller" {
  bind_socket = "${this.controller}"; count = 1; secure_ip = []; password = "${PASSWORD}"; enable_password = "${PASSWORD}";
}
worker "rspamd_proxy" {
  bind_socket = "${this.milter}"; count = 1; milter = true; timeout = 30s;
  upstream "local" { default = yes; self_scan = yes; }
}
actions { reject = 15; rewrite_subject = 8; add_header = 6; greylist = 4; quarantine = 9998; discard = 9999; subject = "*** SPAM *** %s"; }
metric { name = "default"; }
lua = "${dir}/rules.lua";
`;
  }

  async #isUp(): Promise<boolean> {
    if (!this.#ports.every(isListening)) return false;
    const answer = await within(fetch(`http://${this.normal}/ping`), () => "rspamd");
    return (await answer.text()).startsWith("pong");
  }
}

function isFile(path: string): boolean {
  try {
    return Deno.statSync(path).isFile;
  } catch {
    return false;
  }
}

// The order of a table in Lua is not the same in two workers. So no message gets fields of two names that depend on it.
const RULES = `
local function facts(task)
  local from = task:get_from("smtp")
  local rcpts = {}
  for _, rcpt in ipairs(task:get_recipients("smtp") or {}) do table.insert(rcpts, rcpt.addr) end
  return table.concat({
    tostring(task:get_ip()), task:get_helo() or "none", task:get_hostname() or "none",
    from and from[1] and "<" .. from[1].addr .. ">" or "none", table.concat(rcpts, ","),
  }, " ")
end

local does = {
  ["on top"] = function(task)
    task:set_milter_reply({
      add_headers = { ["X-Top"] = { value = "f\\195\\188r", order = 0 }, ["X-Last"] = "at the end" },
      remove_headers = { ["X-Gone"] = 0, ["X-Second"] = 2 },
    })
  end,
  ["behind the first"] = function(task)
    task:set_milter_reply({
      add_headers = { ["X-First"] = { { value = "one", order = 1 }, { value = "two", order = 1 }, { value = "three" } } },
      remove_headers = { ["X-Second"] = -1 },
    })
  end,
  ["before the last"] = function(task)
    task:set_milter_reply({ add_headers = { ["X-Before"] = { value = "the last", order = -2 } } })
  end,
  ["before all"] = function(task)
    task:set_milter_reply({ add_headers = { ["X-Before"] = { value = "all", order = -99 } } })
  end,
  ["behind all"] = function(task)
    task:set_milter_reply({ add_headers = { ["X-Behind"] = { value = "all", order = 99 } } })
  end,
  folded = function(task)
    task:set_milter_reply({ add_headers = { ["X-Folded"] = { value = "one\\n\\ttwo\\n three" } } })
  end,
  facts = function(task) task:set_milter_reply({ add_headers = { ["X-Facts"] = facts(task) } }) end,
  long = function(task) task:set_milter_reply({ add_headers = { ["X-Long"] = string.rep("word ", 400) .. "end" } }) end,
  dkim = function(task)
    rspamd_plugins.dkim.sign(task, { domain = "example.org", selector = "s", key = "DIR/key.pem", headers = "from:subject" })
  end,
  reject = function(task) task:set_pre_result("reject", "No thanks, nr. 7") end,
  ["soft reject"] = function(task) task:set_pre_result("soft reject", "Come back later") end,
  discard = function(task) task:set_pre_result("discard", "gone") end,
  quarantine = function(task) task:set_pre_result("quarantine", "kept") end,
  greylist = function(task) task:set_pre_result("greylist", "wait") end,
}

rspamd_config:register_symbol({
  name = "TEST", score = 0.0,
  callback = function(task)
    local what = task:get_header("X-Test")
    if what == nil then return false end
    if does[what] then does[what](task) end
    return true, 1.0, "an option"
  end,
})

-- The score of a message is what its field X-Score says.
rspamd_config:register_symbol({
  name = "SCORE", score = 1.0,
  callback = function(task)
    local score = tonumber(task:get_header("X-Score"))
    if score == nil then return false end
    return true, score
  end,
})
`;
