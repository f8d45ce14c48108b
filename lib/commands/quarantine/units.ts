// Sizes and ages for people, in at most five characters. Pure.

const SIZES = ["", "K", "M", "G", "T"];

/** A size in octets, such as `812`, `4.7K`, `31M`. */
export function formatSize(octets: number): string {
  let [size, unit] = [octets, 0];
  for (; size >= 999.5 && unit < SIZES.length - 1; unit++) size /= 1024;
  return `${unit > 0 && size < 9.95 ? size.toFixed(1) : Math.round(size)}${SIZES[unit]}`;
}

const AGES = [["d", 86_400], ["h", 3_600], ["m", 60]] as const;

/** A time in whole units, such as `5s`, `59m`, `23h`, `31d`. */
export function formatAge(milliseconds: number): string {
  const seconds = Math.max(0, Math.floor(milliseconds / 1000));
  const [unit, length] = AGES.find(([, length]) => seconds >= length) ?? ["s", 1];
  return `${Math.floor(seconds / length)}${unit}`;
}
