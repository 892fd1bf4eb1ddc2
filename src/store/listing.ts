/** Text that one list brings at most: records may be megabytes long. */
const LIST_BYTES = 32 * 1024 * 1024;

/** As many rows as have room, and always the first. */
export function listUpTo<Row extends { readonly raw: string }>(rows: Iterable<Row>, maxBytes = LIST_BYTES): Row[] {
  const taken: Row[] = [];
  let bytes = 0;
  for (const row of rows) {
    bytes += row.raw.length;
    if (taken.length > 0 && bytes > maxBytes) break;
    taken.push(row);
  }
  return taken;
}
