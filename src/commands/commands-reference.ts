import { type CommandPage, type ProgramPage, synopsisOf, type Term } from './manual.ts';

/** `docs/commands.md`, made from the manual. Pure. */
export function commandsReference(page: ProgramPage): string {
  return [
    '# Commands',
    'Results go to stdout, progress and logs to stderr. The same stands in `mimecast-forwarder COMMAND --help` and in `man mimecast-forwarder`.',
    'This page is made by `node scripts/commands-reference.ts`; a test fails when it is behind.',
    table(
      ['Command', 'Does'],
      page.commands.map(({ name, summary }) => [`[\`${name}\`](#${name})`, text(summary)]),
    ),
    ...part('## Values', termTable(['Value', 'Written'], page.values)),
    ...part('## Exit codes', termTable(['Code', 'Meaning'], page.exitCodes)),
    ...part('## Environment', termTable(['Variable', 'Meaning'], page.environment)),
    ...part('## Files', termTable(['File', 'Where'], page.files)),
    ...page.commands.flatMap(commandPart),
  ]
    .join('\n\n')
    .concat('\n');
}

function commandPart(page: CommandPage): string[] {
  return [
    `## ${page.name}`,
    fenced(synopsisOf(page)),
    ...page.does.map(text),
    ...part('', termTable(['Argument', 'Meaning'], page.arguments)),
    ...part('', termTable(['Option', 'Meaning'], page.options)),
    ...(page.sections ?? []).flatMap(({ title, text: words = [], terms = [] }) => [
      `**${title}.** ${words.map(text).join(' ')}`.trimEnd(),
      ...part('', termTable(['', 'Meaning'], terms)),
    ]),
    fenced(page.examples.flatMap(({ typed, does }) => [`# ${does}`, typed])),
    `Exit codes: ${page.exitCodes.map(([code, meaning]) => `${code} ${text(meaning)}`).join(' · ')}.`,
    `See also: ${page.seeAlso.map(link).join(', ')}.`,
  ];
}

/** Nothing for a part that is empty. */
function part(heading: string, body: string): string[] {
  return body === '' ? [] : [heading, body].filter((line) => line !== '');
}

function termTable(heads: readonly [string, string], terms: readonly Term[]): string {
  if (terms.length === 0) return '';
  return table(
    heads,
    terms.map(([term, meaning]) => [`\`${term.replaceAll('|', '\\|')}\``, text(meaning)]),
  );
}

function table(heads: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`;
  return [line(heads), `|${heads.map(() => '---').join('|')}|`, ...rows.map(line)].join('\n');
}

function fenced(lines: readonly string[]): string {
  return ['```sh', ...lines, '```'].join('\n');
}

/** Outside of backticks nothing of a text is Markdown. */
function text(words: string): string {
  return words
    .split('`')
    .map((piece, index) => (index % 2 === 1 ? piece.replaceAll('|', '\\|') : piece.replace(/[<|*[\]\\]/g, '\\$&')))
    .join('`');
}

/** From `docs/`: to a command of this page, or to another page. */
function link(name: string): string {
  if (!name.endsWith('.md')) return `[\`${name}\`](#${name})`;
  return `[${name}](${name.startsWith('docs/') ? name.slice('docs/'.length) : `../${name}`})`;
}
