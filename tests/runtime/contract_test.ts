// Both runtime adapters keep the same contract. The cases of contract.ts run inside the runtime. The cases that need a
// process of their own run with program.ts: standard input and output, signals, bugs, the start of itself.
//
// Bun comes from npm, pinned. Some cases need python3, and the case of several addresses needs root.

import assert from "node:assert/strict";
import { BUN_VERSION } from "../../scripts/compile_bun.ts";
import { isAlive, kill, runCommand } from "../e2e/start.ts";
import { fromFileUrl } from "../e2e/paths.ts";
import { rangeOf } from "../rig/ports.ts";
import { until } from "../rig/wait.ts";
import { isLeftOut } from "../needs.ts";
import { SOCKETS_WANTED } from "./contract.ts";

const here = (name: string) => fromFileUrl(new URL(name, import.meta.url));

const RUNTIMES: Readonly<Record<string, () => Promise<readonly string[]>>> = {
  Deno: () => Promise.resolve([Deno.execPath(), "run", "--quiet", "--allow-all", "--unstable-net"]),
  Bun: async () => {
    // npx takes half a second each time, so it is asked only once where Bun is.
    const { stdout, stderr, status } = await runCommand([
      "npx",
      "-y",
      `bun@${BUN_VERSION}`,
      "-e",
      "console.log(process.execPath)",
    ]);
    if (status !== 0) throw new Error(`cannot get npm's bun ${BUN_VERSION}: ${stderr}`);
    return [stdout.trim()];
  },
};

const SEVERAL = "the addresses of a host are tried in turn, and one connection is made";
const UNREACHABLE = "a connection that cannot be made says which address failed, and with what";

/** Cases that need more than the rest: parts in tests/needs.ts. */
const PARTS: Readonly<Record<string, string>> = {
  [SEVERAL]: "a host with several addresses",
  [UNREACHABLE]: "hosts that cannot be reached",
};

/** Steps of both runtimes run at the same time, so the sanitizers look only at the whole. */
const UNWATCHED = { sanitizeOps: false, sanitizeResources: false, sanitizeExit: false };

// Most cases wait for another process, so both runtimes have their turn at the same time.
Deno.test("the runtime adapters keep one contract", async (test) => {
  await Promise.all(
    Object.entries(RUNTIMES).map(([name, find], at, { length }) =>
      test.step({
        ...UNWATCHED,
        name: `the runtime adapter for ${name}`,
        ignore: name === "Bun" && isLeftOut("the runtime adapter for Bun"),
        fn: async (test) => await playRuntime(test, await find(), rangeOf(at, length)),
      })
    ),
  );
});

async function playRuntime(test: Deno.TestContext, words: readonly string[], ports: string): Promise<void> {
  const dir = Deno.makeTempDirSync({ prefix: "postprox_contract_" });
  try {
    await playContract(test, words, ports);
    for (const [title, play] of Object.entries(CASES)) {
      await test.step({
        ...UNWATCHED,
        name: title,
        ignore: title in PARTS && isLeftOut(PARTS[title]!),
        fn: () => play([...words, here("program.ts")], dir),
      });
      for (const entry of [...Deno.readDirSync(dir)]) Deno.removeSync(`${dir}/${entry.name}`);
    }
  } finally {
    Deno.removeSync(dir, { recursive: true });
  }
}

/** Plays the cases of contract.ts in the runtime. Both runtimes look for free ports, each in its own range. */
async function playContract(test: Deno.TestContext, words: readonly string[], ports: string): Promise<void> {
  const argv = [here("with_sockets.py"), String(SOCKETS_WANTED), ...words, here("contract_main.ts")];
  const command = new Deno.Command("python3", { args: argv, env: { POSTPROX_TEST_PORTS: ports } });
  const { stdout, stderr } = await command.output();
  const lines = new TextDecoder().decode(stdout).split("\n").filter((line) => line !== "");
  for (const line of lines) {
    const { name, failure } = JSON.parse(line) as { name: string; failure?: string };
    await test.step({
      ...UNWATCHED,
      name,
      fn: () => {
        if (failure !== undefined) throw new Error(failure);
      },
    });
  }
  assert.ok(lines.length > 50, `only ${lines.length} cases ran: ${new TextDecoder().decode(stderr)}`);
}

const CASES: Readonly<Record<string, (words: readonly string[], dir: string) => Promise<void>>> = {
  ...onSockets(["echo"], {
    "hello,shut": { heard: "hello", status: 3, noted: "end" },
    "early,hello,shut": { heard: "early hello", status: 3, noted: "end" },
    "nonblocking,hello,wait,hello,shut": { heard: "hellohello", status: 3, noted: "end" },
    "hello,reset": { heard: "hello", status: 3, noted: "reset" },
    "hello,close": { heard: "hello", status: 3, noted: "end" },
  }),
  ...onSockets(["late"], {
    "ready,much,shut": { heard: "ready\n", status: 0, noted: "3000000" },
    "nonblocking,ready,much,shut": { heard: "ready\n", status: 0, noted: "3000000" },
  }),
  ...onSockets(["close"], { "ready,all": { heard: "ready\n", status: 0, noted: "closed" } }),
  ...onSockets(["spawned"], { "all": { heard: "", status: 0, noted: "true" } }),

  "a socket: much is written whole to a client that starts reading late": async (words) => {
    for (const how of ["wait,all", "nonblocking,wait,all"]) {
      const { stdout } = await runCommand(["python3", here("on_socket.py"), how, ...words, "flood", "5000000"]);
      assert.deepEqual(JSON.parse(stdout), { heard: 5_000_000, status: 0 });
    }
  },
  "a socket: a client that resets ends a write that waits": async (words, dir) => {
    const { stdout } = await runCommand([
      "python3",
      here("on_socket.py"),
      "much,wait,reset",
      ...words,
      "echo",
      `${dir}/noted`,
    ]);
    assert.deepEqual(JSON.parse(stdout), { heard: "", status: 3 });
    assert.equal(Deno.readTextFileSync(`${dir}/noted`), "reset");
  },

  "pipes: what goes in comes out, and the end is the end": async (words, dir) => {
    const shell = `head -c 1000000 /dev/zero | "$@" | wc -c`;
    assert.equal(
      (await runCommand(["sh", "-c", shell, "-", ...words, "echo", `${dir}/noted`])).stdout.trim(),
      "1000000",
    );
    assert.equal(Deno.readTextFileSync(`${dir}/noted`), "end");
  },
  "pipes: a reader that leaves is kind reset": async (words, dir) => {
    const shell = `cat /dev/zero | { "$@"; echo $? >&2; } | head -c 10 >/dev/null`;
    assert.equal((await runCommand(["sh", "-c", shell, "-", ...words, "echo", `${dir}/noted`])).stderr.trim(), "3");
    assert.equal(Deno.readTextFileSync(`${dir}/noted`), "reset");
  },
  "pipes: those that are non-blocking are waited for": async (words, dir) => {
    const script = `
import os, subprocess, sys, time
(theirs, ours), (out, theirs_out) = os.pipe(), os.pipe()
for end in (theirs, theirs_out):
    os.set_blocking(end, False)
child = subprocess.Popen(sys.argv[1:], stdin=theirs, stdout=theirs_out)
os.close(theirs), os.close(theirs_out)
time.sleep(0.3)
os.write(ours, b"x" * 60000)
time.sleep(0.2)
os.write(ours, b"y" * 60000)
os.close(ours)
time.sleep(0.3)
print(len(os.fdopen(out, "rb").read()), child.wait())
`;
    const { stdout } = await runCommand(["python3", "-c", script, ...words, "echo", `${dir}/noted`]);
    assert.equal(stdout.trim(), "120000 3");
  },
  "files and /dev/null: as standard input and output": async (words, dir) => {
    Deno.writeTextFileSync(`${dir}/in`, "from a file");
    const shell = `f=$1; shift; "$@" <"$f/in" >"$f/out"; echo $?; "$@" </dev/null >/dev/null; echo $?`;
    const { stdout } = await runCommand(["sh", "-c", shell, "-", dir, ...words, "echo", `${dir}/noted`]);
    assert.equal(stdout, "3\n3\n");
    assert.equal(Deno.readTextFileSync(`${dir}/out`), "from a file");
    assert.equal(Deno.readTextFileSync(`${dir}/noted`), "endend");
  },
  "pipes: close lets go of a read that waits": async (words, dir) => {
    const { stdout } = await runCommand(["sh", "-c", `sleep 2 | "$@"`, "-", ...words, "close", `${dir}/noted`]);
    assert.equal(stdout, "ready\n");
    assert.equal(Deno.readTextFileSync(`${dir}/noted`), "closed");
  },
  "isSpawned is false for pipes and files, and for descriptors that are closed": async (words, dir) => {
    for (const how of ["</dev/null", "<&-", "<&- >&-", "| cat"]) {
      await runCommand(["sh", "-c", `"$@" ${how}`, "-", ...words, "spawned", `${dir}/noted`]);
    }
    assert.equal(Deno.readTextFileSync(`${dir}/noted`), "falsefalsefalsefalse");
  },
  "writeOut and writeErr write all, and exit ends with the status": async (words) => {
    const { stdout, stderr, status } = await runCommand([...words, "say", "out!", "error!"]);
    assert.equal(stdout, "out!".repeat(100_000));
    assert.equal(stderr, "error!".repeat(100_000));
    assert.equal(status, 5);
  },

  "appendErr writes all, and who reads it late holds up nobody": async (words) => {
    const [program = "", ...args] = [...words, "append", "3000000"];
    const child = new Deno.Command(program, { args, stdin: "null", stdout: "piped", stderr: "piped" }).spawn();
    const said = child.stdout.pipeThrough(new TextDecoderStream()).getReader();
    assert.equal((await said.read()).value, "alive\n");
    assert.equal((await new Response(child.stderr).text()).length, 3_000_000);
    assert.equal((await said.read()).value, "done\n");
    await child.status;
    await said.cancel();
  },
  "appendErr to a reader that has left is kind reset": async (words) => {
    const shell = `{ "$@" 2>&1 >&3 | true; } 3>&1`;
    assert.match(
      (await runCommand(["sh", "-c", shell, "-", ...words, "append", "3000000"])).stdout,
      /^alive\nreset\n$/,
    );
  },
  "isErrJournal is true where JOURNAL_STREAM names standard error, and only there": async (words, dir) => {
    const shell = 'exec 2>"$0/err"; eval "export JOURNAL_STREAM=$1"; shift; "$@"';
    for (
      const [variable, expected] of [
        ['$(stat -c %d:%i "$0/err")', "true"],
        ['$(stat -c %d:1 "$0/err")', "false"],
        ['$(stat -c 1:%i "$0/err")', "false"],
        ["", "false"],
      ] as const
    ) {
      assert.equal(
        (await runCommand(["sh", "-c", shell, dir, variable, ...words, "journal"])).stdout,
        expected,
        variable,
      );
    }
  },

  "isOutTerminal is true on a terminal, and only there": async (words) => {
    assert.equal((await runCommand([...words, "terminal"])).stdout, "false");
    const terminal = "import pty, sys; sys.exit(pty.spawn(sys.argv[1:]))";
    assert.equal((await runCommand(["python3", "-c", terminal, ...words, "terminal"])).stdout, "true");
  },

  "a child has its three descriptors, whatever was left open for us": async (words) => {
    const { stdout } = await runCommand(["sh", "-c", `"$@" 7</dev/null 9>/dev/null`, "-", ...words, "descriptors"]);
    assert.equal(stdout, "0\n1\n2\n3\n");
  },

  "a child inherits the environment octet for octet, except messages of a service manager to us alone": async (
    words,
    dir,
  ) => {
    // A script whose path looks like a variable to env(1), and each way to start it.
    Deno.writeTextFileSync(`${dir}/A=dump`, "#!/bin/sh\nexec od -An -v -to1 -w1 /proc/self/environ >&2\n", {
      mode: 0o755,
    });
    const ours = [
      "NOTIFY_SOCKET=/run/x",
      "WATCHDOG_PID=1",
      "WATCHDOG_USEC=5",
      "LISTEN_PID=1",
      "LISTEN_FDS=1",
      "LISTEN_FDNAMES=a",
    ];
    for (const spoilt of [false, true]) {
      const values = ["PATH=/usr/bin:/bin", `HOME=${Deno.env.get("HOME")}`, "PLAIN=a b", "MARK=\u00e9\u20ac"];
      const octets = spoilt
        ? [
          "LATIN=caf\\351",
          "HALF=\\303",
          "OVERLONG=\\300\\200",
          "SURROGATE=\\355\\240\\200",
          // Variables that a shell would take for its own, and line ends at the end.
          "SIGNS=\\047\\042\\044\\050\\140\\134n\\351 *\\012x\\012\\012.",
          "ADDED=\\351",
          // Nearly as much as a word may hold (execve(2)).
          `LARGE=${"\\351".repeat(30_000)}`,
        ]
        : [];
      const shell = `exec env -i ${octets.map((one) => `"$(printf '${one}')"`).join(" ")} "$@"`;
      for (const start of [[`${dir}/A=dump`], ["/bin/sh", "-c", `exec '${dir}/A=dump'`]]) {
        const argv = [...ours, ...values, ...words, "environment", "ADDED", "x=y \u00e9", ...start];
        const { stdout, stderr } = await runCommand(["sh", "-c", shell, "-", ...argv]);
        const heard = new Set(textOfOctal(stdout).split("\0"));
        const expected = [...values, "ADDED=x=y \u00e9"].map(binaryOf);
        const exact = octets.map((one) =>
          one.replace(/\\([0-7]{3})/g, (_, octal) => String.fromCharCode(parseInt(octal, 8)))
        );
        for (const variable of [...expected, ...exact.filter((one) => !one.startsWith("ADDED="))]) {
          assert.ok(heard.has(variable), `${variable} in ${[...heard]} ${stderr}`);
        }
        for (const variable of ours) assert.ok(!heard.has(variable), variable);
      }
    }
  },

  "signals and bugs come to their handlers, and nothing else is said of them": async (words) => {
    const child = new Deno.Command(words[0]!, {
      args: [...words.slice(1), "events"],
      stdin: "null",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
    let said = "";
    const reading = (async () => {
      for await (const chunk of child.stdout.pipeThrough(new TextDecoderStream())) said += chunk;
    })();
    try {
      await until(() => said.includes("ready\n"), () => `ready, but it said ${said}`);
      assert.deepEqual(said.trim().split("\n").sort(), ["bug rejected", "bug thrown", "ready"]);
      for (const signal of ["SIGTERM", "SIGINT", "SIGHUP", "SIGTERM"] as const) {
        said = "";
        child.kill(signal);
        await until(() => said === `${signal}\n`, () => `${signal}, but it said ${said}`);
      }
    } finally {
      child.kill("SIGKILL");
      await reading;
    }
    assert.equal(await new Response(child.stderr).text(), "");
    await child.status;
  },

  "a datagram that was sent is not lost when the process ends at once": async (words, dir) => {
    const script = `
import socket, subprocess, sys
server = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
server.bind(sys.argv[1])
server.settimeout(10)
for _ in range(5):
    subprocess.run(sys.argv[2:] + [sys.argv[1]], check=True)
    print(server.recv(100).decode())
`;
    const { stdout } = await runCommand(["python3", "-c", script, `${dir}/log`, ...words, "syslog"]);
    assert.equal(stdout, "last words\n".repeat(5));
  },

  "it starts itself in the background, and outlives its parent": async (words) => {
    const shell = `LATIN=$(printf 'caf\\351') exec "$@"`;
    const argv = ["sh", "-c", shell, "-", ...words, "start", "background", "--word=a b"];
    const { stdout, stderr, status } = await runCommand(argv);
    assert.equal(stderr, "");
    assert.equal(status, 0);
    const [, pid, word] = /^about to start\n([0-9]+) (.*)\n$/.exec(stdout) ?? [];
    try {
      assert.equal(word, "--word=a b");
      const environment = new TextDecoder("latin1").decode(Deno.readFileSync(`/proc/${pid}/environ`));
      assert.ok(environment.split("\0").includes("LATIN=caf\xe9"), environment);
      assert.ok(isAlive(Number(pid)));
      const fields = Deno.readTextFileSync(`/proc/${pid}/stat`).replace(/^.*\) /, "").split(" ");
      // Its group and its session are its own.
      assert.deepEqual(fields.slice(2, 4), [pid, pid]);
    } finally {
      kill(Number(pid));
    }
  },
  "it starts itself in the background, and hears why that failed": async (words) => {
    const { stdout, stderr, status } = await runCommand([...words, "start", "background", "fail"]);
    assert.deepEqual({ stdout, stderr, status }, { stdout: "", stderr: "cannot start\n", status: 7 });
  },

  [SEVERAL]: async (words, dir) => {
    const first = Deno.listen({ hostname: "127.9.9.2", port: 0 });
    const { port } = first.addr;
    const second = Deno.listen({ hostname: "127.9.9.3", port });
    const accepted: string[] = [];
    const serving = [first, second].map(async (listener) => {
      for await (const conn of listener) {
        accepted.push((conn.localAddr as Deno.NetAddr).hostname);
        await conn.write(new TextEncoder().encode("hello"));
        conn.close();
      }
    });
    const hosts = [1, 2, 3].map((last) => `127.9.9.${last} several.test\n`);
    Deno.writeTextFileSync(`${dir}/hosts`, hosts.join(""));
    const shell = `mount --bind "$0" /etc/hosts && exec "$@" connect several.test ${port}`;
    try {
      const { stdout, stderr } = await runCommand(["unshare", "-m", "sh", "-c", shell, `${dir}/hosts`, ...words]);
      assert.equal(stdout, "127.9.9.2 says hello\n", stderr);
      assert.deepEqual(accepted, ["127.9.9.2"]);
    } finally {
      first.close();
      second.close();
      await Promise.all(serving);
    }
  },
  [UNREACHABLE]: async (words, dir) => {
    const hosts = ["192.0.2.1 two.test", "127.9.9.1 two.test", "127.9.9.1 one.test", "127.9.9.2 silent.test"];
    Deno.writeTextFileSync(`${dir}/hosts`, `${hosts.join("\n")}\n`);
    const routes = ["unreachable 192.0.2.1", "prohibit 192.0.2.2"].map((route) => `ip route add ${route}`).join(" && ");
    const shell = `mount --bind "$0" /etc/hosts && ip link set lo up && ${routes} && exec python3 -c '${SILENT}' "$@"`;
    for (
      const [host, expected] of [
        ["127.9.9.1", /^refused: cannot connect to 127\.9\.9\.1:9: connection refused[^;]*$/i],
        ["192.0.2.1", /^unreachable: .*(no route to host|host is unreachable)/i],
        ["192.0.2.2", /^denied: .*permission denied/i],
        ["192.0.2.3", /^unreachable: .*network is unreachable/i],
        ["2001:db8::1", /^unreachable: .*\[2001:db8::1\]:9: network is unreachable/i],
        ["one.test", /^refused: cannot connect to one\.test:9: 127\.9\.9\.1: connection refused/i],
        [
          "two.test",
          /^(?=.*192\.0\.2\.1: (no route to host|host is unreachable))(?=.*127\.9\.9\.1: connection refused)/i,
        ],
        ["silent.test", /^timeout: cannot connect to silent\.test:9: .*no answer within 0\.5 s/],
        ["silent.test", /127\.9\.9\.2/],
      ] as const
    ) {
      const argv = [`${dir}/hosts`, ...words, "connect", host, "9", "500"];
      const { stdout, stderr } = await runCommand(["unshare", "-mn", "sh", "-c", shell, ...argv]);
      assert.match(stdout, expected, stderr);
    }
  },
  "what cannot be done for want of descriptors is kind exhausted": async (words, dir) => {
    const { stdout, stderr } = await runCommand([
      "sh",
      "-c",
      'ulimit -n 64; exec "$@"',
      "-",
      ...words,
      "exhausted",
      dir,
    ]);
    const kinds = stdout.split("\n").filter((line) => line !== "").map((line) => line.split(": "));
    const expected = ["127.0.0.1", "localhost", "unix", "listen", "datagrams", "udp", "start"];
    assert.deepEqual(kinds, expected.map((what) => [what, "exhausted"]), stderr);
  },
};

// A server at 127.9.9.2 whose queue is full, and the program that its words name.
const SILENT = `
import os, socket, sys
server = socket.socket()
server.bind(("127.9.9.2", 9))
server.listen(0)
for _ in range(4):
    one = socket.socket()
    one.setblocking(False)
    one.connect_ex(server.getsockname())
    os.set_inheritable(one.fileno(), True)
    one.detach()
os.set_inheritable(server.fileno(), True)
os.execv(sys.argv[1], sys.argv[1:])
`;

function textOfOctal(dump: string): string {
  return dump.trim().split(/\s+/).map((octal) => String.fromCharCode(parseInt(octal, 8))).join("");
}

function binaryOf(text: string): string {
  return String.fromCharCode(...new TextEncoder().encode(text));
}

interface Heard {
  readonly heard: string;
  readonly status: number;
  /** The content that the program wrote into its file. */
  readonly noted: string;
}

/** A case per way that the client behaves (on_socket.py), with what comes of it. */
function onSockets(role: readonly string[], rows: Readonly<Record<string, Heard>>): typeof CASES {
  return Object.fromEntries(
    Object.entries(rows).map(([how, { noted, ...expected }]) => [
      `a socket: ${role.join(" ")}: ${how}`,
      async (words: readonly string[], dir: string) => {
        const argv = ["python3", here("on_socket.py"), how, ...words, ...role, `${dir}/noted`];
        const { stdout, stderr } = await runCommand(argv);
        assert.deepEqual(JSON.parse(stdout || "null"), expected, stderr);
        assert.equal(Deno.readTextFileSync(`${dir}/noted`), noted);
      },
    ]),
  );
}
