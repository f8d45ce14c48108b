// The language of the .dialog files: who says, hears and does what, one step in a line.
//
//     client|mx says TEXT     says TEXT and CRLF; steps without an empty line between them are one packet
//     client|mx hears TEXT    has heard exactly this next
//     client|mx ends|closes|resets|stalls|takes      half-close; close; reset; takes no data; takes it again
//     client|mx is closed     the proxy has closed this connection
//     filter starts           the filter command runs, with the message and the envelope of the next steps
//     filter sees NAME=VALUE, filter reads LINE      its environment; all lines of its message
//     filter writes LINE      into OUTFILE
//     filter exits STATUS [STDERR], filter dies SIGNAL, filter is stopped, filter ignores SIGTERM, filter is killed
//     postprox shuts down     a signal to end has come
//     N s pass                on the clock
//     log has TEXT, log lacks TEXT
//     set NAME VALUE          an option of the session, in milliseconds and octets, or of the network: `set mx refused`;
//                             `set packets whole` if the dialogue would differ octet by octet
//     rule LINE               a line of the rules file
//     dns NAME TYPE ANSWER    a record, the kind of an `IoError`, or `silent`; other names do not exist
//
// In TEXT, \r \n \t \0 \xHH and \\ are octets. A backslash at its end means that no CRLF follows. Lines that begin with
// # are comments. The first comments say what the dialogue is about. "mx" is downstream.

export interface Step {
  readonly line: number;
  readonly who: string;
  readonly verb: string;
  /** As written. */
  readonly text: string;
  /** The first step of its packet. */
  readonly begins: boolean;
}

export interface Script {
  readonly about: string;
  readonly settings: ReadonlyMap<string, string>;
  /** The rules file; undefined where there is none. */
  readonly rules: string | undefined;
  /** By question, such as `example.org MX`. */
  readonly dns: ReadonlyMap<string, string>;
  readonly steps: readonly Step[];
}

const STEPS: readonly RegExp[] = [
  /^(client|mx) +(says|hears) +(.+)$/,
  /^(client|mx) +(ends|closes|resets|stalls|takes|is closed)()$/,
  /^(filter) +(starts|is stopped|is killed|ignores SIGTERM)()$/,
  /^(filter) +(sees|exits|dies) +(.+)$/,
  /^(filter) +(reads|writes)(?: +(.*))?$/,
  /^(postprox) +(shuts down)()$/,
  /^(log) +(has|lacks) +(.+)$/,
];

export function parseScript(source: string): Script {
  const about: string[] = [];
  const settings = new Map<string, string>();
  const rules: string[] = [];
  const dns = new Map<string, string>();
  const steps: Step[] = [];
  let begins = true;
  for (const [at, text] of source.split("\n").entries()) {
    const line = at + 1;
    const setting = /^set +(\w+) +(.+)$/.exec(text);
    const rule = /^rule +(.+)$/.exec(text);
    const record = /^dns +(\S+ [A-Z]+) +(\S+)$/.exec(text);
    const pass = /^([0-9.]+) s pass$/.exec(text);
    const step = STEPS.map((form) => form.exec(text)).find((found) => found !== null);
    if (text.startsWith("#")) {
      if (steps.length === 0) about.push(text.slice(1).trim());
    } else if (text.trim() === "") {
      begins = true;
      continue;
    } else if (setting) {
      settings.set(setting[1]!, setting[2]!);
    } else if (rule) {
      rules.push(rule[1]!);
    } else if (record) {
      dns.set(record[1]!, record[2]!);
    } else if (pass) {
      steps.push({ line, who: "clock", verb: "passes", text: pass[1]!, begins: true });
    } else if (step) {
      steps.push({ line, who: step[1]!, verb: step[2]!, text: step[3] ?? "", begins });
    } else {
      throw new SyntaxError(`line ${line} is no step: ${text}`);
    }
    begins = false;
  }
  if (about.length === 0) throw new SyntaxError("no comment says what this dialogue is about");
  return { about: about.join(" "), settings, rules: rules.length > 0 ? rules.join("\n") : undefined, dns, steps };
}

/** The octets of a step's text, as text with one character for each octet. */
export function octetsOf(text: string): string {
  const open = /(?<!\\)(?:\\\\)*\\$/.test(text);
  const written = open ? text.slice(0, -1) : text;
  const raw = written.replace(/\\(?:x([0-9a-fA-F]{2})|(.))/g, (whole, hex?: string, letter?: string) => {
    if (hex) return String.fromCharCode(parseInt(hex, 16));
    const octet = ({ r: "\r", n: "\n", t: "\t", "0": "\0", "\\": "\\" } as Record<string, string>)[letter!];
    if (octet === undefined) throw new SyntaxError(`unknown escape ${whole}`);
    return octet;
  });
  return open ? raw : `${raw}\r\n`;
}
