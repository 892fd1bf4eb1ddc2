import { byName, type Step, type Subject, targetOf, waits } from './reload-step.ts';

/** What a change that is made does, where one might think otherwise. */
export interface Note {
  readonly subject: Subject;
  readonly note: string;
}

export function notesOf(step: Step): Note[] {
  return [...outputNotes(step), ...feedNotes(step), ...sectionNotes(step)];
}

function outputNotes({ before, after, diff, facts }: Step): Note[] {
  const note = (output: string, text: string): Note => ({ subject: { output }, note: text });
  const waitingOf = (name: string): string => waits(facts.waiting.get(name) ?? 0);
  return [
    ...diff.outputs.removed.map((name) =>
      note(
        name,
        `its cursor stays, so that new events are kept for it: put back, it goes on there; \`outputs forget ${name}\` lets go of them`,
      ),
    ),
    ...diff.outputs.added
      .filter((name) => facts.waiting.has(name))
      .map((name) =>
        note(name, `the store knows it: it goes on at its cursor, ${waitingOf(name)}; startFrom is not looked at`),
      ),
    ...[...diff.outputs.changed].flatMap(([name, changes]) => {
      const [old, next] = [byName(before.outputs, name), byName(after.outputs, name)];
      const touches = (key: string): boolean => changes.some((change) => change.key.split('.')[0] === key);
      const moved = old && next && targetOf(old) !== targetOf(next);
      return [
        ...(touches('startFrom') ? [note(name, START_IGNORED)] : []),
        ...(moved ? [note(name, `${waitingOf(name)}, for the new destination from now on; ${NOT_AGAIN}`)] : []),
        ...(touches('filter') && (facts.waiting.get(name) ?? 0) > 0
          ? [note(name, `the filter is for what waits too, ${waitingOf(name)}; what it drops is not sent later`)]
          : []),
      ];
    }),
  ];
}

const START_IGNORED =
  'startFrom is for outputs that are new to the store and changes nothing here; `replay` sends stored events again';
const NOT_AGAIN = 'what the old one has is not sent again, but by `replay`';

function feedNotes({ diff }: Step): Note[] {
  const note = (feed: string, text: string): Note => ({ subject: { feed }, note: text });
  return [
    ...diff.feeds.removed.map((name) =>
      note(name, 'it is read no more; its checkpoint stays, and Mimecast keeps 30 days'),
    ),
    ...[...diff.feeds.changed].flatMap(([name, changes]) =>
      changes.some(({ key }) => key === 'startFrom')
        ? [note(name, 'startFrom is for the first run and changes nothing here; `backfill` reads a past window')]
        : [],
    ),
  ];
}

function sectionNotes({ before, after, diff }: Step): Note[] {
  const mimecast = diff.sections.get('mimecast') ?? [];
  const isElsewhere = mimecast.some(({ key }) => key === 'baseUrl' || /^auth\.(clientId|applicationId)$/.test(key));
  const isShorter = after.store.retention < before.store.retention;
  return [
    ...(isElsewhere
      ? [
          {
            subject: { section: 'mimecast' } as const,
            note: 'reading goes on at the checkpoints: right for the same Mimecast account. Another account needs a store of its own',
          },
        ]
      : []),
    ...(isShorter
      ? [
          {
            subject: { section: 'store' } as const,
            note: 'delivered events older than store.retention go within a minute, and cannot be replayed any more',
          },
        ]
      : []),
  ];
}
