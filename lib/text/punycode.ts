// Labels of domain names in ASCII (RFC 3492, Punycode; RFC 5890, A-labels). Pure.
//
// This is our own code, because the two runtimes map names by different versions of Unicode, and because many names
// must cost little.

// RFC 3492 s.5.
const BASE = 36;
const T_MIN = 1;
const T_MAX = 26;
const SKEW = 38;
const DAMP = 700;
const INITIAL_BIAS = 72;
const INITIAL_N = 128;

// RFC 1035 s.2.3.4. It also bounds the work: the time of the encoding grows with the square of the length.
const LABEL_LIMIT = 63;

const DIGITS = "abcdefghijklmnopqrstuvwxyz0123456789";

/**
 * The label of a domain name in the form of DNS: `bücher` becomes `xn--bcher-kva`, and ASCII stays as it is. Undefined
 * if the label would be too long.
 */
export function asciiLabel(label: string): string | undefined {
  const points = Array.from(label, (character) => character.codePointAt(0)!);
  if (points.every((point) => point < INITIAL_N)) return label;
  if (points.length > LABEL_LIMIT) return undefined;
  const encoded = `xn--${encodePunycode(points)}`;
  return encoded.length <= LABEL_LIMIT ? encoded : undefined;
}

// RFC 3492 s.6.3.
function encodePunycode(points: readonly number[]): string {
  const basic = points.filter((point) => point < INITIAL_N);
  let output = String.fromCharCode(...basic);
  if (basic.length > 0) output += "-";
  let n = INITIAL_N;
  let delta = 0;
  let bias = INITIAL_BIAS;
  for (let handled = basic.length; handled < points.length;) {
    let next = Infinity;
    for (const point of points) if (point >= n && point < next) next = point;
    delta += (next - n) * (handled + 1);
    n = next;
    for (const point of points) {
      if (point < n) delta++;
      if (point !== n) continue;
      output += variableLength(delta, bias);
      bias = adapt(delta, handled + 1, handled === basic.length);
      delta = 0;
      handled++;
    }
    delta++;
    n++;
  }
  return output;
}

function variableLength(delta: number, bias: number): string {
  let digits = "";
  let rest = delta;
  for (let k = BASE;; k += BASE) {
    const threshold = Math.min(Math.max(k - bias, T_MIN), T_MAX);
    if (rest < threshold) return digits + DIGITS[rest]!;
    digits += DIGITS[threshold + (rest - threshold) % (BASE - threshold)]!;
    rest = Math.floor((rest - threshold) / (BASE - threshold));
  }
}

// RFC 3492 s.6.1.
function adapt(delta: number, count: number, isFirst: boolean): number {
  let rest = Math.floor(isFirst ? delta / DAMP : delta / 2);
  rest += Math.floor(rest / count);
  let k = 0;
  for (; rest > ((BASE - T_MIN) * T_MAX) >> 1; k += BASE) rest = Math.floor(rest / (BASE - T_MIN));
  return k + Math.floor((BASE - T_MIN + 1) * rest / (rest + SKEW));
}
