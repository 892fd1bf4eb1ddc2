/** The middle one; the mean of the two in the middle. NaN of nothing. */
export function median(numbers: readonly number[]): number {
  return quantile(numbers, 0.5);
}

/** The value below which the share `q` of the numbers lies, interpolated. NaN of nothing. */
export function quantile(numbers: readonly number[], q: number): number {
  const sorted = [...numbers].sort((a, b) => a - b);
  const place = (sorted.length - 1) * q;
  const below = sorted[Math.floor(place)] ?? Number.NaN;
  const above = sorted[Math.ceil(place)] ?? Number.NaN;
  return below + (above - below) * (place - Math.floor(place));
}

/** `12.3`, with as many digits behind the point as wanted; a dash for what was not measured. */
export function figure(value: number | undefined, digits = 0): string {
  return value === undefined || Number.isNaN(value) ? '–' : value.toFixed(digits);
}

/** Bytes as MB, as the goals are given: 1 MB = 1,000,000 bytes. */
export function megabytes(bytes: number): string {
  return figure(bytes / 1e6);
}
