import { cells, folded, foldedCommand, padded } from '../status/text.ts';
import type { Example } from './command.ts';
import { PROGRAM } from './completion-scripts.ts';
import { type CommandPage, type ProgramPage, synopsisOf, type Term } from './manual.ts';

/** The manual as `--help` prints it. Pure; no line is wider than asked for; an example that is too long can still be pasted. */

const [NARROWEST, WIDEST] = [60, 100] as const;
/** A term that is longer has its meaning below it. */
const LONGEST_TERM = 26;

export function commandHelp(page: CommandPage, columns: number): string {
  const width = bounded(columns);
  return [usage(synopsisOf(page), width), `${page.summary[0]?.toUpperCase()}${page.summary.slice(1)}.`, ...page.does]
    .map((text, index) => (index === 0 ? text : folded(text, width).join('\n')))
    .concat(
      section('Arguments', terms(page.arguments, width)),
      section('Options', terms(page.options, width)),
      (page.sections ?? []).flatMap(({ title, text = [], terms: words = [] }) =>
        section(title, [...text.flatMap((line) => indented(folded(line, width - 2), 2)), ...terms(words, width)]),
      ),
      section('Examples', examples(page.examples, width)),
      section('Exit codes', terms(page.exitCodes, width)),
      section('Files', terms(page.files, width)),
      section('See also', indented(folded(page.seeAlso.join(', '), width - 2), 2)),
    )
    .join('\n\n')
    .concat('\n');
}

export function programHelp(page: ProgramPage, columns: number): string {
  const width = bounded(columns);
  return [
    usage([`${PROGRAM} <command> [options]`, `${PROGRAM} <command> --help`], width),
    ...page.does.map((text) => folded(text, width).join('\n')),
    ...section(
      'Commands',
      terms(
        page.commands.map(({ name, summary }) => [name, summary]),
        width,
      ),
    ),
    ...section('Options', terms(page.options, width)),
    ...section('Values', terms(page.values, width)),
    ...section('Examples', examples(page.examples, width)),
    ...section('Exit codes', terms(page.exitCodes, width)),
    ...section('Environment', terms(page.environment, width)),
    ...section('Files', terms(page.files, width)),
    ...section('See also', indented(folded(page.seeAlso.join(', '), width - 2), 2)),
  ]
    .join('\n\n')
    .concat('\n');
}

function bounded(columns: number): number {
  return Math.min(WIDEST, Math.max(NARROWEST, columns));
}

/** The forms one below the other; a form that is too long is folded between its options, not in the middle of one. */
function usage(lines: readonly string[], width: number): string {
  const label = 'Usage: ';
  return lines
    .flatMap((line, form) =>
      foldedForm(line, width - label.length).map(
        (part, row) => (form + row === 0 ? label : ' '.repeat(label.length)) + part,
      ),
    )
    .join('\n');
}

function foldedForm(form: string, width: number): string[] {
  const lines: string[] = [];
  for (const word of form.match(/\[[^\]]*\](?:\.\.\.)?|--\S+ <[^>]*>|\S+/g) ?? []) {
    const longer = lines.length === 0 ? word : `${lines.at(-1)} ${word}`;
    if (lines.length > 0 && longer.length <= width) lines[lines.length - 1] = longer;
    else lines.push(lines.length === 0 ? word : `    ${word}`);
  }
  return lines;
}

/** Nothing for a section without lines. */
function section(title: string, lines: readonly string[]): string[] {
  return lines.length === 0 ? [] : [[`${title}:`, ...lines].join('\n')];
}

function terms(pairs: readonly Term[], width: number): string[] {
  const widest = Math.max(0, ...pairs.map(([term]) => cells(term)).filter((size) => size <= LONGEST_TERM));
  const margin = widest + 4;
  return pairs.flatMap(([term, meaning]) => {
    const lines = indented(folded(meaning, width - margin), margin);
    const head = `  ${padded(term, widest)}  `;
    if (cells(term) > widest) return [head.trimEnd(), ...lines];
    return [head + (lines[0] ?? '').trimStart(), ...lines.slice(1)];
  });
}

function examples(list: readonly Example[], width: number): string[] {
  return list.flatMap(({ typed, does }) => [
    ...indented(foldedCommand(typed, width - 2), 2),
    ...indented(folded(does, width - 6), 6),
  ]);
}

function indented(lines: readonly string[], by: number): string[] {
  return lines.map((line) => ' '.repeat(by) + line);
}
