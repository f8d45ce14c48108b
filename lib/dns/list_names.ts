// What strangers hear in place of the zone of a DNS list, which may hold the key to it (--list-name). Pure.

/** By zone, in small letters and without a final dot. */
export type ListNames = ReadonlyMap<string, string>;

/** `text` with each zone that has a name, however it is written, replaced by that name. */
export function withListNames(text: string, names: ListNames): string {
  if (names.size === 0) return text;
  // A zone may begin with another one.
  const zones = [...names.keys()].sort((one, other) => other.length - one.length);
  const pattern = new RegExp(zones.map((zone) => zone.replaceAll(".", "\\.")).join("|"), "gi");
  return text.replace(pattern, (zone) => names.get(zone.toLowerCase())!);
}
