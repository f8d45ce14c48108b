// Texts for strangers in place of the zone of a DNS list, because the zone may hold a key (--list-name). Pure.

/** By zone, in lower case and without a final dot. */
export type ListNames = ReadonlyMap<string, string>;

/** Replaces each zone in `text` that has a name by that name. Upper and lower case do not matter. */
export function withListNames(text: string, names: ListNames): string {
  if (names.size === 0) return text;
  // One zone may begin with another one, so longer zones go first.
  const zones = [...names.keys()].sort((one, other) => other.length - one.length);
  const pattern = new RegExp(zones.map((zone) => zone.replaceAll(".", "\\.")).join("|"), "gi");
  return text.replace(pattern, (zone) => names.get(zone.toLowerCase())!);
}
