import { Option } from 'commander';
import { closest, formatPath } from '../config/mistakes.ts';
import { filterRules } from '../config/schema.ts';
import { expectation, findingsOf } from '../config/words.ts';
import type { FilterRules } from '../deliver/filter.ts';
import { UsageError } from '../errors.ts';
import { feedTypes } from '../feeds/index.ts';
import { repeated } from './session.ts';

/** `--filter result=malicious,unsafe`: what an output's `filter` says in the config, on the command line. */
export function filterOption(): Option {
  return new Option(
    '--filter <field=values>',
    'only events whose field, as Mimecast names it, has one of these values, parted by commas; several times: all must match',
  ).argParser(repeated);
}

/** The rules of all `--filter` together; the same field twice allows the values of both. Throws a `UsageError` that names every mistake. */
export function filterOf(pairs: readonly string[]): FilterRules {
  const written: Record<string, string[]> = {};
  const mistakes: string[] = [];
  for (const pair of pairs) {
    const [, field, values = ''] = /^([^=]+)=(.*)$/s.exec(pair) ?? [];
    if (field === undefined) mistakes.push(`${pair}: is no FIELD=VALUE[,VALUE…]`);
    else written[field] = [...(written[field] ?? []), ...values.split(',').filter((value) => value !== '')];
  }
  const checked = filterRules.safeParse(written, { error: expectation });
  const findings = checked.success
    ? []
    : findingsOf(checked.error.issues, { schema: filterRules, tree: written, isFromEnvironment: () => false });
  mistakes.push(...findings.map(({ path, message }) => `${formatPath(path, written)}: ${message}`));
  if (mistakes.length > 0 || !checked.success) {
    throw new UsageError(
      mistakes.map((mistake) => `--filter ${mistake}`).join('\n'),
      'Write it as --filter result=malicious,unsafe --filter route=inbound.',
    );
  }
  return checked.data;
}

/** A sentence for each field that no feed is known to send: a slip there would show nothing, for ever. */
export function doubtsAbout(rules: FilterRules): string[] {
  const known = Object.values(feedTypes).flatMap(({ keys }) => keys);
  return Object.keys(rules)
    .filter((field) => !known.includes(field))
    .map((field) => {
      const meant = closest(field, known);
      return `--filter ${field}: Mimecast is not known to send it${meant === undefined ? '' : `; did you mean ${meant}?`}`;
    });
}
