// Numbers, durations and times of day for people. Pure.

/** `12,345`. From a million on, `1.23 M`: a counter of years must fit its place. */
export function formatCount(count: number): string {
  if (count >= 999_995e9) return "> 999 T";
  if (count >= 999_995e6) return `${(count / 1e12).toFixed(2)} T`;
  if (count >= 999_995e3) return `${(count / 1e9).toFixed(2)} G`;
  if (count >= 999_999.5) return `${(count / 1e6).toFixed(2)} M`;
  return String(Math.round(count)).replace(/\B(?=(?:\d{3})+$)/g, ",");
}

/** With one decimal below 10, such as a rate of 0.4 messages in a minute. */
export function formatRate(rate: number): string {
  return rate === 0 || rate >= 9.95 ? formatCount(rate) : rate < 0.05 ? "< 0.1" : rate.toFixed(1);
}

/** `part` of `whole`, in percent. A small part is never `0 %`, and only the whole is `100 %`. */
export function formatShare(part: number, whole: number): string {
  if (part === 0 || whole === 0) return "0 %";
  if (part === whole) return "100 %";
  const percent = part / whole * 100;
  if (percent < 0.1) return "< 0.1 %";
  if (percent > 99.9) return "> 99.9 %";
  return percent < 9.95 || percent > 99 ? `${percent.toFixed(1)} %` : `${Math.round(percent)} %`;
}

/** `seconds` with two or three digits that matter: `0.4 ms`, `35 ms`, `1.2 s`, `2.5 min`. */
export function formatSeconds(seconds: number): string {
  if (seconds < 0.01) return `${(seconds * 1000).toFixed(1)} ms`;
  if (seconds < 0.9995) return `${Math.round(seconds * 1000)} ms`;
  if (seconds < 9.95) return `${seconds.toFixed(1)} s`;
  return seconds < 119.5 ? `${Math.round(seconds)} s` : `${(seconds / 60).toFixed(1)} min`;
}

/** Octets: `5.2 kB`, `1.4 GB`. */
export function formatBytes(bytes: number): string {
  const units = ["B", "kB", "MB", "GB", "TB", "PB"];
  let size = bytes;
  let at = 0;
  while (size >= 999.5 && at < units.length - 1) {
    size /= 1000;
    at++;
  }
  return `${at === 0 || size >= 99.5 ? Math.round(size) : size.toFixed(1)} ${units[at]}`;
}

/** How long ago, in milliseconds, in its two largest units: `3 d 4 h`, `12 min`. Below two minutes in seconds. */
export function formatAge(milliseconds: number): string {
  const seconds = Math.max(0, Math.floor(milliseconds / 1000));
  if (seconds < 120) return `${seconds} s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return `${minutes} min`;
  const hours = Math.floor(minutes / 60);
  if (hours < 24) return `${hours} h ${minutes % 60} min`;
  return `${formatCount(Math.floor(hours / 24))} d ${hours % 24} h`;
}

/** Times of day, for a place that is `offset` minutes east of UTC. */
export class Clockface {
  readonly #offset: number;

  constructor(offset: number) {
    this.#offset = offset;
  }

  /** `02:13:07` */
  second(time: number): string {
    return this.#local(time).slice(11, 19);
  }

  /** `02:13` */
  minute(time: number): string {
    return this.#local(time).slice(11, 16);
  }

  /** `2026-11-29 02:13` */
  day(time: number): string {
    return this.#local(time).slice(0, 16).replace("T", " ");
  }

  /** For the attribute `datetime`. */
  machine(time: number): string {
    return `${this.#local(time).slice(0, 19)}${this.#offset === 0 ? "Z" : this.#sign()}`;
  }

  /** `UTC`, or `UTC+05:30`. */
  get zone(): string {
    return this.#offset === 0 ? "UTC" : `UTC${this.#sign()}`;
  }

  #sign(): string {
    const size = Math.abs(this.#offset);
    const pad = (part: number) => String(part).padStart(2, "0");
    return `${this.#offset < 0 ? "-" : "+"}${pad(Math.floor(size / 60))}:${pad(size % 60)}`;
  }

  #local(time: number): string {
    return new Date(time + this.#offset * 60_000).toISOString();
  }
}
