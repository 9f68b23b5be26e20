/** Makes room for one more in a map of at most `max`: what does not count any more goes, and where all of it does, the oldest. */
export function makeRoom<Value>(
  map: Map<string, Value>,
  { max, counts }: { readonly max: number; readonly counts: (value: Value) => boolean },
): void {
  if (map.size < max) return;
  for (const [key, value] of map) if (!counts(value)) map.delete(key);
  const oldest = map.keys().next();
  if (map.size >= max && !oldest.done) map.delete(oldest.value);
}
