import { tables } from '../../config/tables.ts';
import { baseUrlOf, REGIONS, SERVED_BY_GLOBAL } from '../../mimecast/regions.ts';
import type { Question } from './asker.ts';
import { type Destination, destinationOf } from './destination.ts';

/** The questions that are the same for everybody; those about an output come from its type, see `destination.ts`. */

export const REGION: Question<string> = {
  text: 'Region, or URL of the API',
  about: [
    'Where Mimecast is:',
    ...Object.entries(REGIONS).map(([name, { summary }]) => `  ${name.padEnd(8)} ${summary}`),
    `  ${SERVED_BY_GLOBAL.join(', ')}: the same as global`,
  ],
  flag: '--region NAME',
  fallback: 'global',
  read: (answer) => {
    const found = baseUrlOf(answer);
    return 'mistake' in found ? found : { value: found.baseUrl };
  },
};

export const CLIENT_ID: Question<string> = {
  text: 'Client id',
  about: ['From the API 2.0 application in the Mimecast console (Integrations Hub):'],
  flag: '--client-id ID',
  read: (answer) => (/\s/.test(answer) ? { mistake: 'expected one word, without blanks' } : { value: answer }),
};

export const CLIENT_SECRET: Question<string> = {
  text: 'Client secret (is not shown)',
  flag: '--client-secret-file FILE or --client-secret-env NAME',
  secret: true,
  read: (answer) => ({ value: answer }),
};

export const DESTINATION: Question<Destination> = {
  text: 'Output',
  about: [
    'Where events go:',
    ...Object.values(tables.outputTypes).flatMap(({ type, summary, profiles }) => [
      `  ${type.padEnd(14)} ${summary}`,
      ...(profiles ? [`  ${''.padEnd(14)} Ready-made for: ${Object.keys(profiles).join(', ')}.`] : []),
    ]),
  ],
  flag: '--output TYPE',
  read: destinationOf,
};
