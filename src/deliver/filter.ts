import type { ForwarderEvent } from '../event.ts';

/** Field of the record → the values that pass. */
export type FilterRules = Readonly<Record<string, readonly string[]>>;

/**
 * Makes the test that decides whether an output wants an event: every named field must have one of its values. An event that
 * lacks the field does not pass. Undefined when there is nothing to test.
 */
export function compileFilter(rules: FilterRules | undefined): ((event: ForwarderEvent) => boolean) | undefined {
  const tests = Object.entries(rules ?? {}).map(([field, values]) => ({ field, values: new Set(values) }));
  if (tests.length === 0) return undefined;
  return (event) =>
    tests.every(({ field, values }) => {
      const value = event.record[field];
      return value !== undefined && value !== null && typeof value !== 'object' && values.has(String(value));
    });
}
