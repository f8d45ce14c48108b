// Facts of sites with one fault, or with none, and what the doctor says about them.

import { type Changes, OPTIONS, step } from "./site.ts";

const REFUSED = { failure: { kind: "refused", why: "cannot connect: refused" }, steps: [] };
const DENIED = { failure: { kind: "denied", why: "cannot connect: denied" }, steps: [] };

/** The one thing that is wrong, and the lines to change; without lines if the row has none. */
type Row = readonly [name: string, changes: Changes, what: RegExp, lines?: string | readonly string[]];

export const WRONG: readonly Row[] = [
  // --- nothing listens
  [
    "nothing listens, spawn",
    { dialogues: { "127.0.0.1:10025": REFUSED } },
    /^Nothing listens at 127\.0\.0\.1:10025, where smtpd_proxy_filter of "smtp inet" points: cannot connect: refused\.$/,
    "postfix start || postfix reload",
  ],
  [
    "nothing listens, listen mode",
    { mode: "listen", dialogues: { "127.0.0.1:10025": REFUSED } },
    /^Nothing listens at 127\.0\.0\.1:10025, where/,
    "systemctl start postprox",
  ],
  [
    "nothing listens, and nobody knows what should",
    { mode: "listen", isUnasked: true, dialogues: { "127.0.0.1:10025": REFUSED } },
    /^Nothing listens at 127\.0\.0\.1:10025, where/,
    "systemctl start postprox",
  ],
  [
    "main.cf points elsewhere",
    { mode: "listen", main: "smtpd_proxy_filter = 127.0.0.1:99\n", dialogues: { "127.0.0.1:99": REFUSED } },
    /^Nothing listens at 127\.0\.0\.1:99, where/,
    "smtpd_proxy_filter = 127.0.0.1:10025",
  ],
  [
    "main.cf points to another program",
    { main: "smtpd_proxy_filter = 127.0.0.1:10026\n", own: "127.0.0.1:10026/inet/smtpd_proxy_filter =\n" },
    /^No SMTP server of Postfix leads to postprox at 127\.0\.0\.1:10025/,
    "smtpd_proxy_filter = 127.0.0.1:10025",
  ],
  [
    "no server has a proxy",
    { main: "smtpd_proxy_filter =\n" },
    /^No SMTP server of Postfix leads to postprox at 127\.0\.0\.1:10025: all mail passes unchecked\.$/,
    "smtpd_proxy_filter = 127.0.0.1:10025",
  ],
  [
    "no server has a proxy, and there is no postprox",
    { mode: "listen", isUnasked: true, main: "smtpd_proxy_filter =\n" },
    /^No SMTP server of Postfix leads to postprox: smtpd_proxy_filter is not set, or is that of another program\.$/,
    "smtpd_proxy_filter = 127.0.0.1:10025",
  ],
  [
    "master.cf has a mistake",
    { mode: "listen", postfix: { isAbsent: false, isBroken: true, why: "postconf: fatal: master.cf: line 3: bad" } },
    /^Postfix cannot read its configuration: postconf: fatal: master\.cf: line 3: bad\.$/,
    "postfix check",
  ],
  // --- chroot
  [
    "a server in a chroot does not see the socket",
    {
      mode: "listen",
      options: `-l unix:/run/postprox/postprox.sock ${OPTIONS}`,
      main: "smtpd_proxy_filter = unix:/run/postprox/postprox.sock\n",
    },
    /^"smtp inet" runs in a chroot, where it does not see \/run\/postprox\/postprox\.sock\.$/,
    "smtp inet n - n - 20 smtpd",
  ],
  [
    "spawn(8) in a chroot",
    { master: (text) => text.replace("10025 inet n n n", "10025 inet n n y") },
    /^"127\.0\.0\.1:10025 inet" runs in a chroot, where it does not see the program/,
    "127.0.0.1:10025 inet n n n - 20 spawn",
  ],
  [
    "a chroot by default",
    { master: (text) => text.replace("10025 inet n n n", "10025 inet n n -"), main: "compatibility_level = 0\n" },
    /runs in a chroot/,
    "127.0.0.1:10025 inet n n n - 20 spawn",
  ],
  [
    "nobody knows where to send",
    { mode: "listen", isUnasked: true, send: "a@example.org", postfix: { isAbsent: true, why: "x" } },
    /^The test message to a@example\.org was not sent/,
  ],
  // --- the server behind
  [
    "the server behind is away",
    { dialogues: { "127.0.0.1:10026": REFUSED, "127.0.0.1:10025": { steps: [step("", "421 4.3.2 no")] } } },
    /^The server behind postprox, 127\.0\.0\.1:10026, is not reachable: cannot connect: refused\.$/,
    "postfix start || postfix reload",
  ],
  [
    "the server behind turns sessions away",
    { dialogues: { "127.0.0.1:10026": { steps: [step("", "421 4.7.0 too many")] } } },
    /turns the session away: 421 4\.7\.0 too many\.$/,
    "    -o smtpd_client_connection_count_limit=0",
  ],
  [
    "the server behind says nothing",
    { dialogues: { "127.0.0.1:10026": { steps: [], lost: "it was silent for too long" } } },
    /gives no greeting: it was silent for too long\.$/,
  ],
  [
    "a proxy protocol",
    { own: "127.0.0.1:10026/inet/smtpd_upstream_proxy_protocol = haproxy\n" },
    /waits for a proxy protocol/,
    "    -o smtpd_upstream_proxy_protocol=",
  ],
  // --- XFORWARD
  [
    "no XFORWARD",
    { own: "127.0.0.1:10026/inet/smtpd_authorized_xforward_hosts =\n" },
    /^The second server, 127\.0\.0\.1:10026, does not accept XFORWARD from postprox: .* is missing\.$/,
    "    -o smtpd_authorized_xforward_hosts=127.0.0.0/8",
  ],
  [
    "no XFORWARD for us",
    {
      own: "127.0.0.1:10026/inet/smtpd_authorized_xforward_hosts = 192.0.2.1\n",
      dialogues: { "127.0.0.1:10026": { steps: [step("", "220 x"), step("EHLO x", "250 x", ["x"])] } },
    },
    /does not offer XFORWARD to this host, although smtpd_authorized_xforward_hosts is 192\.0\.2\.1/,
    "    -o smtpd_authorized_xforward_hosts=127.0.0.0/8",
  ],
  [
    "Postfix has not read it yet",
    { dialogues: { "127.0.0.1:10026": { steps: [step("", "220 x"), step("EHLO x", "250 x", ["x"])] } } },
    /does not offer XFORWARD to this host/,
    "postfix reload",
  ],
  [
    "no XFORWARD of a server elsewhere",
    {
      options: "-d /tmp --log=stderr 192.0.2.1:25",
      mode: "listen",
      dialogues: { "192.0.2.1:25": { steps: [step("", "220 x"), step("EHLO x", "250 x", ["x", "SIZE 0"])] } },
    },
    /^The second server, 192\.0\.2\.1:25, does not accept XFORWARD/,
  ],
  // --- it filters again
  [
    "smtpd_proxy_filter",
    { own: "127.0.0.1:10026/inet/smtpd_proxy_filter = 127.0.0.1:10025\n" },
    /filters its mail again: smtpd_proxy_filter is 127\.0\.0\.1:10025\.$/,
    "    -o smtpd_proxy_filter=",
  ],
  [
    "content_filter",
    { main: "content_filter = smtp:[127.0.0.1]:10025\n" },
    /sends its mail back to postprox: content_filter is/,
    "    -o content_filter=",
  ],
  // --- open to the world
  [
    "the server behind",
    {
      master: (text) => text.replace("127.0.0.1:10026 inet n", "10026 inet n"),
      own: "10026/inet/smtpd_proxy_filter =\n10026/inet/smtpd_authorized_xforward_hosts = 127.0.0.0/8\n",
    },
    /^The server behind postprox, "10026 inet", is open to the world: it listens at 0\.0\.0\.0:10026,/,
    "127.0.0.1:10026 inet n - n - - smtpd",
  ],
  [
    "the spawn entry",
    {
      master: (text) => text.replace("127.0.0.1:10025 inet", "192.0.2.1:10025 inet"),
      main: "smtpd_proxy_filter = 192.0.2.1:10025\n192.0.2.1:10025_time_limit = 3620s\n",
    },
    /^postprox, "192\.0\.2\.1:10025 inet", is open to the world/,
    "127.0.0.1:10025 inet n n n - 20 spawn",
  ],
  [
    "-l",
    { mode: "listen", options: "-l 0.0.0.0:10025 127.0.0.1:10026" },
    /^postprox is open to the world: it listens at 0\.0\.0\.0:10025\./,
    "--listen=127.0.0.1:10025",
  ],
  // --- TLS
  ...([
    ["smtpd_tls_security_level", "encrypt", "none"],
    ["smtpd_tls_wrappermode", "yes", "no"],
  ] as const).map(([name, value, off]): Row => [
    name,
    { own: `127.0.0.1:10026/inet/${name} = ${value}\n` },
    new RegExp(`^TLS is forced on the inner hop, .*: ${name} of "127\\.0\\.0\\.1:10026 inet" is ${value}\\.$`),
    `    -o ${name}=${off}`,
  ]),
  [
    "smtpd_enforce_tls",
    { main: "smtpd_enforce_tls = yes\n", own: "127.0.0.1:10026/inet/smtpd_tls_security_level =\n" },
    /^TLS is forced on the inner hop, .*: smtpd_enforce_tls/,
    "    -o smtpd_enforce_tls=no",
  ],
  [
    "a server elsewhere wants STARTTLS",
    {
      mode: "listen",
      options: "-d /tmp --log=stderr 192.0.2.1:25",
      dialogues: {
        "192.0.2.1:25": {
          steps: [
            step("", "220 x"),
            step("EHLO x", "250 x", ["x", "XFORWARD NAME", "SIZE 0"]),
            step("MAIL FROM:<>", "530 5.7.0 Must issue a STARTTLS command first"),
          ],
        },
      },
    },
    /^TLS is forced on the inner hop: 192\.0\.2\.1:25 wants STARTTLS/,
  ],
  // --- time limits
  [
    "Postfix gives up first",
    { main: "smtpd_proxy_timeout = 1m\n" },
    /^Time limits are in the wrong order: "smtp inet" gives up after 60 s \(smtpd_proxy_timeout\), and postprox may take 90 s/,
    "smtpd_proxy_timeout = 100s",
  ],
  [
    "an entry of its own",
    { own: "smtp/inet/smtpd_proxy_timeout = 90s\n" },
    /gives up after 90 s/,
    "    -o smtpd_proxy_timeout=100s",
  ],
  ...([
    ["--connect-timeout=150", "150 s \\(--connect-timeout\\)", "160s"],
    ["--message-timeout=100", "100 s \\(--message-timeout\\)", "110s"],
    ["--tarpit-after=3 --tarpit-max=120", "120 s \\(--tarpit-max\\)", "130s"],
    ["--check-rules=/etc/postprox/rules --rules-delay=110", "110 s \\(--rules-delay\\)", "120s"],
  ] as const).map(([option, shown, value]): Row => [
    option,
    { options: `${option} -d /tmp --log=stderr 127.0.0.1:10026` },
    new RegExp(`gives up after 100 s .* may take ${shown}`),
    `smtpd_proxy_timeout = ${value}`,
  ]),
  [
    "-t",
    { options: "-t 100 -c /bin/f -d /tmp 127.0.0.1:10026", mode: "listen" },
    /^The filter may take 100 s \(-t\), but the message is answered after 90 s/,
    "--message-timeout=126",
  ],
  [
    "--scan-timeout",
    { options: "--scan-timeout=100 --clamd=127.0.0.1:3310 -d /tmp 127.0.0.1:10026", mode: "listen" },
    /^The filter may take 100 s \(--scan-timeout\)/,
    "--message-timeout=126",
  ],
  [
    "the server behind hangs up",
    { own: "127.0.0.1:10026/inet/smtpd_timeout = 5s\n" },
    /hangs up after 5 s of silence \(smtpd_timeout\), and postprox sends it a NOOP only after 5 s/,
    "    -o smtpd_timeout=300s",
  ],
  [
    "spawn(8) kills",
    { main: "127.0.0.1:10025_time_limit = 90s\n" },
    /spawn\(8\) kills postprox after 90 s \(127\.0\.0\.1:10025_time_limit\)/,
    "127.0.0.1:10025_time_limit = 3620s",
  ],
  // --- sizes
  [
    "postprox takes less",
    { options: "--max-message-size=1M -d /tmp 127.0.0.1:10026", mode: "listen" },
    /^Size limits differ: "smtp inet" takes messages of up to 10240000 octets .* postprox of up to 1048576 octets/,
    "message_size_limit = 1048576",
  ],
  [
    "postprox takes more",
    { options: "--max-message-size=20M -d /tmp 127.0.0.1:10026", mode: "listen" },
    /^Size limits differ/,
    "--max-message-size=10240000",
  ],
  [
    "the server behind takes less",
    { own: "127.0.0.1:10026/inet/message_size_limit = 1000\n" },
    /the server behind postprox only of up to 1000 octets/,
    "    -o message_size_limit=10240000",
  ],
  [
    "a server elsewhere takes less",
    {
      mode: "listen",
      options: "-d /tmp --log=stderr 192.0.2.1:25",
      dialogues: {
        "192.0.2.1:25": { steps: [step("", "220 x"), step("EHLO x", "250 x", ["x", "XFORWARD NAME", "SIZE 5000"])] },
      },
    },
    /the server behind postprox only of up to 5000 octets/,
    "message_size_limit = 5000",
  ],
  // --- speed_adjust
  ...["--check-rules=/etc/postprox/rules", "--dnsbl=bl.example", "--rhsbl=bl.example", "--check-sender-domain"].map(
    (option): Row => [
      option,
      { main: "smtpd_proxy_options = speed_adjust\n", options: `${option} -d /tmp 127.0.0.1:10026`, mode: "listen" },
      /^speed_adjust of "smtp inet" is used with rules for recipients/,
      "--defer-rcpt-refusals",
    ],
  ),
  // --- processes
  [
    "more smtpd than spawn",
    { master: (text) => text.replace("20      smtpd", "-       smtpd") },
    /^There are more smtpd than spawn processes: "smtp inet" may have 100, "127\.0\.0\.1:10025 inet" only 20\./,
    "127.0.0.1:10025 inet n n n - 100 spawn",
  ],
  [
    "smtpd without a limit",
    { master: (text) => text.replace("20      smtpd", "0       smtpd") },
    /may have any number/,
    "127.0.0.1:10025 inet n n n - 0 spawn",
  ],
  [
    "--max-clients",
    { mode: "listen", options: "--max-clients=10 -d /tmp 127.0.0.1:10026" },
    /--max-clients is 10\./,
    "--max-clients=20",
  ],
  // --- programs and directories
  [
    "the filter is not executable",
    { path: { use: "filter", canExecute: false } },
    /^The filter \/usr\/local\/bin\/filter \(-c\) is not executable by postprox\.$/,
    "chmod a+rx /usr/local/bin/filter",
  ],
  [
    "the filter is behind a closed directory",
    { path: { use: "filter", kind: "missing", isHidden: true } },
    /is not executable by postprox: a directory above it is closed\.$/,
    "chmod a+x /usr /usr/local /usr/local/bin",
  ],
  [
    "the filter is not there",
    { path: { use: "filter", kind: "missing" } },
    /is not there\.$/,
    "    --command=/usr/local/bin/FILTER",
  ],
  ["the filter is a directory", { path: { use: "filter", kind: "directory" } }, /is no program, but a directory\.$/],
  [
    "no interpreter",
    { path: { use: "filter", noInterpreter: "/usr/bin/python9" } },
    /its interpreter \/usr\/bin\/python9/,
  ],
  [
    "the script is closed",
    { path: { use: "filter", canRead: false } },
    /not readable by/,
    "chmod a+r /usr/local/bin/filter",
  ],
  [
    "the program is not executable",
    { path: { use: "program", canExecute: false } },
    /^The program \/usr\/sbin\/postprox \(argv\) is not executable by postprox\.$/,
    "chmod a+rx /usr/sbin/postprox",
  ],
  [
    "no user",
    { look: { paths: [], noUser: true } },
    /^The user postprox of --user is not there\.$/,
    "    user=postprox",
  ],
  [
    "the spool is closed",
    { path: { use: "spool", canWrite: false } },
    /^The spool directory \/var\/spool\/postprox \(-d\) is not writable by postprox\.$/,
    "chown postprox /var/spool/postprox",
  ],
  [
    "the spool is not there",
    { path: { use: "spool", kind: "missing" } },
    /^The spool directory .* is not there\.$/,
    "install -d -o postprox -m 0700 /var/spool/postprox",
  ],
  ["the spool is a file", { path: { use: "spool", kind: "file" } }, /is no directory\.$/],
  [
    "the spool is small",
    { look: { spoolRoom: 20_479_999 } },
    /is too small: 20479999 octets are free, .* needs 20480000\./,
    "    --tempdir=/var/spool/postprox",
  ],
  [
    "the log",
    { path: { use: "log directory", canWrite: false } },
    /^The log .* is not writable by postprox\.$/,
    "install -o postprox -m 0640 /dev/null /var/log/postprox/log",
  ],
  [
    "a file",
    { path: { use: "file", canRead: false } },
    /^The file \/etc\/postprox\/rules \(--check-rules\) is not readable by postprox\.$/,
    "chmod a+r /etc/postprox/rules",
  ],
  // --- the rest
  [
    "no syslog",
    { look: { log: { kind: "syslog", path: "/dev/log", why: "nobody listens" } } },
    /^There is no syslog: nobody listens\./,
    "    --log=/var/log/postprox/postprox.log",
  ],
  [
    "a scanner",
    { look: { scanners: [{ name: "rspamd", server: "127.0.0.1:11333", why: "answered with HTTP status 403" }] } },
    /^rspamd could not tell: 127\.0\.0\.1:11333: answered with HTTP status 403\.$/,
    "systemctl restart rspamd",
  ],
  [
    "a DNS list",
    { look: { scanners: [{ name: "the DNS list", server: "bl.example", why: "lists everything, even 127.0.0.1" }] } },
    /^The DNS list bl\.example lists everything/,
  ],
  [
    "a wrong option",
    { options: "--no-such 127.0.0.1:10026", look: { paths: [] } },
    /^postprox does not start with the options of "127\.0\.0\.1:10025 inet" in master\.cf: option "--no-such" is not known/,
    [],
  ],
  [
    "a wrong file",
    { look: { startError: "option --check-rules: /r:1: no" } },
    /option --check-rules: \/r:1: no\.$/,
    [],
  ],
  [
    "RCPT is refused",
    { dialogues: { "127.0.0.1:10025": { steps: [step("", "220 x"), step("RCPT TO:<postmaster>", "554 5.7.1 no")] } } },
    /^postprox at 127\.0\.0\.1:10025 answers RCPT TO:<postmaster> with 554 5\.7\.1 no\.$/,
    [],
  ],
  [
    "the dialogue breaks",
    { dialogues: { "127.0.0.1:10025": { steps: [step("", "220 x")], lost: "it closed the connection" } } },
    /^postprox at 127\.0\.0\.1:10025 breaks the dialogue after its greeting: it closed the connection\.$/,
    [],
  ],
];

/** Nothing is wrong. The patterns are of what is right, unseen, or worth a thought. */
export const RIGHT:
  readonly (readonly [name: string, changes: Changes, says: Partial<Record<"right" | "unseen" | "advice", RegExp>>])[] =
    [
      ["spawn", {}, { right: /^there are spawn processes for all SMTP servers$/ }],
      ["listen", { mode: "listen" }, { right: /^--max-clients is enough for all SMTP servers$/ }],
      [
        "only Postfix tells",
        { mode: "listen", isUnasked: true },
        { unseen: /^the options of postprox are not known: give them to doctor, or --config=FILE$/ },
      ],
      [
        "no Postfix here",
        { mode: "listen", postfix: { isAbsent: true, why: "there is no postconf(1)" } },
        { unseen: /^there is no Postfix on this machine: there is no postconf\(1\)$/, right: /^postprox listens at/ },
      ],
      [
        "a closed main.cf",
        { mode: "listen", postfix: { isAbsent: false, why: "open main.cf: Permission denied" } },
        { unseen: /^Postfix's configuration cannot be read: open main\.cf: Permission denied$/ },
      ],
      [
        "other instances",
        { main: "multi_instance_directories = /etc/postfix-out /etc/postfix-in\n" },
        { unseen: /MAIL_CONFIG=DIRECTORY: \/etc\/postfix-out, \/etc\/postfix-in$/ },
      ],
      ["a closed socket", { dialogues: { "127.0.0.1:10025": DENIED } }, {
        unseen: /^127\.0\.0\.1:10025: only root and Postfix may/,
      }],
      ["a closed socket behind", { dialogues: { "127.0.0.1:10026": DENIED } }, {
        unseen: /^127\.0\.0\.1:10026: only root/,
      }],
      ["another user", { look: { paths: [], unseen: "only root can see" } }, { unseen: /^only root can see$/ }],
      [
        "spawn(8) kills long sessions",
        { main: "127.0.0.1:10025_time_limit =\n" },
        { advice: /^spawn\(8\) kills a session after 1000 s \(command_time_limit\), even during a message\./ },
      ],
      ["the spool has room for some", { look: { spoolRoom: 30_000_000 } }, {
        advice: /has 30000000 octets free\. .* need 409600000,/,
      }],
      [
        "speed_adjust without rules",
        { main: "smtpd_proxy_options = speed_adjust\n" },
        { right: /^speed_adjust of "smtp inet" fits the options$/ },
      ],
      [
        "speed_adjust with refusals that wait",
        {
          main: "smtpd_proxy_options = speed_adjust\n",
          options: "--check-sender-domain --defer-rcpt-refusals -d /tmp 127.0.0.1:10026",
        },
        { right: /^speed_adjust of "smtp inet" fits the options$/ },
      ],
      [
        "a server behind without a size limit",
        { own: "127.0.0.1:10026/inet/message_size_limit = 0\n" },
        { right: /^the size limits fit$/ },
      ],
      ["another content filter", { main: "content_filter = amavis:[127.0.0.1]:10024\n" }, {
        right: /does not filter again$/,
      }],
      ["TLS that is offered", { own: "127.0.0.1:10026/inet/smtpd_tls_security_level = may\n" }, {
        right: /does not force TLS$/,
      }],
      ["a syslog", { look: { log: { kind: "syslog", path: "/dev/log", why: undefined } } }, {
        right: /^a syslog takes lines at \/dev\/log$/,
      }],
      [
        "a scanner",
        { look: { scanners: [{ name: "clamd", server: "unix:/run/clamd", why: undefined }] } },
        { right: /^clamd at unix:\/run\/clamd answers$/ },
      ],
      [
        "a DNS list without an answer",
        {
          look: {
            scanners: [{ name: "the DNS list", server: "bl.example", why: "gives no answer", isHarmless: true }],
          },
        },
        { advice: /^The DNS list bl\.example gives no answer/ },
      ],
      [
        "a socket in the queue directory, which a chroot shows",
        {
          mode: "listen",
          options: `-l unix:/var/spool/postfix/postprox/s ${OPTIONS}`,
          main: "smtpd_proxy_filter = unix:postprox/s\n",
        },
        { right: /^postprox listens at unix:\/var\/spool\/postfix\/postprox\/s$/ },
      ],
      ["no chroot by default", { master: (text) => text.replace("10025 inet n n n", "10025 inet n n -") }, {}],
      [
        "several proxies, and nobody knows which is postprox",
        {
          mode: "listen",
          isBeside: true,
          own: "smtps/inet/smtpd_proxy_filter = 127.0.0.1:99\n",
          master: (text) => `${text}smtps inet n - y - - smtpd\n`,
        },
        { unseen: /^which of these is postprox: 127\.0\.0\.1:10025, 127\.0\.0\.1:99: give -l with its address$/ },
      ],
      [
        "a server behind that is elsewhere",
        {
          mode: "listen",
          options: "-d /tmp --log=stderr 192.0.2.1:25",
          dialogues: {
            "192.0.2.1:25": {
              steps: [step("", "220 x"), step("EHLO x", "250 x", ["x", "XFORWARD NAME", "SIZE 10240000"])],
            },
          },
        },
        { unseen: /^192\.0\.2\.1:25 is no entry of this Postfix's master\.cf/ },
      ],
      [
        "a test message",
        {
          dialogues: {
            "127.0.0.1:10025": {
              steps: [step("", "220 x"), step("the message", "250 2.0.0 Ok: queued")],
              sent: "250 2.0.0 Ok: queued",
            },
          },
        },
        { right: /^the test message was accepted: 250 2\.0\.0 Ok: queued$/ },
      ],
    ];
