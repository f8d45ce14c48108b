// A quarantine on disk, with messages that a test puts there by hand.

import { octets } from "../rig/octets.ts";

export interface Facts {
  readonly id: string;
  readonly time: string;
  readonly [name: string]: unknown;
}

const HOUR = 3_600_000;

/** A directory with messages as the program keeps them. */
export class Kept {
  readonly dir = Deno.makeTempDirSync({ prefix: "postprox_quarantine_" });
  #count = 0;

  /** Puts a message there that was kept `hours` ago. Text is binary; its lines end with LF. */
  put(content = "Subject: kept\n\nA line.\n", facts: Record<string, unknown> = {}, hours = 0): string {
    const kept = new Date(Date.now() - hours * HOUR);
    const id = `${kept.toISOString().replace(/[-:.Z]/g, "")}-${String(++this.#count).padStart(16, "0")}`;
    const bytes = octets(content);
    this.write(`${id}.eml`, bytes);
    const record = {
      id,
      time: kept.toISOString(),
      session: "4f2a",
      outcome: "reject",
      check: "clamd",
      reason: "clamd found X",
      reply: "550 5.7.1 virus found: X",
      client: "192.0.2.7",
      client_name: "mx.example.org",
      helo: "mx.example.org",
      sender: "a@example.org",
      recipients: ["b@example.com"],
      size: bytes.length,
      ...facts,
    };
    this.write(`${id}.json`, JSON.stringify(record));
    for (const ending of ["eml", "json"]) Deno.utimeSync(`${this.dir}/${id}.${ending}`, kept, kept);
    return id;
  }

  write(name: string, content: string | Uint8Array): void {
    const bytes = typeof content === "string" ? new TextEncoder().encode(content) : content;
    Deno.writeFileSync(`${this.dir}/${name}`, bytes, { mode: 0o600 });
  }

  facts(id: string): Facts {
    return JSON.parse(Deno.readTextFileSync(`${this.dir}/${id}.json`));
  }

  get names(): string[] {
    return Array.from(Deno.readDirSync(this.dir), ({ name }) => name).sort();
  }

  clear(): void {
    for (const name of this.names) Deno.removeSync(`${this.dir}/${name}`, { recursive: true });
  }

  [Symbol.dispose](): void {
    Deno.removeSync(this.dir, { recursive: true });
  }
}
