import { expect, it } from 'vitest';
import { eventOf, plainRecord } from './formats/records.ts';

it('gives each event its own record, in whatever order events are looked into', () => {
  const events = ['a', 'Zürich', '請求書'].map((subject) => eventOf({ ...plainRecord, subject }));
  for (const index of [0, 1, 2, 0, 2, 1, 1]) {
    const event = events[index];
    expect(event?.fields.subject).toBe(['a', 'Zürich', '請求書'][index]);
    expect(event?.record).toEqual({ ...plainRecord, subject: ['a', 'Zürich', '請求書'][index] });
    expect(event?.severity).toBe(9);
  }
});
