import { PROGRAM } from './completion-scripts.ts';
import { type CommandPage, type ProgramPage, synopsisOf, type Term } from './manual.ts';

/**
 * `mimecast-forwarder.1`, made from the manual. Pure. Only macros of man(7) that groff and mandoc share, and escapes of both:
 * https://man7.org/linux/man-pages/man7/groff_man.7.html, https://mandoc.bsd.lv/man/man.7.html.
 */
export function manPage(page: ProgramPage): string {
  return [
    `.\\" Made by node scripts/commands-reference.ts; changes here are lost.`,
    `.TH ${PROGRAM.toUpperCase().replaceAll('-', '\\-')} 1 "" ${escaped(PROGRAM)} "User Commands"`,
    // What is typed must not be parted by a hyphen, nor drawn apart.
    '.nh',
    '.ad l',
    '.SH NAME',
    `${escaped(PROGRAM)} \\- bring Mimecast attachment\\-protection logs into a SIEM`,
    '.SH SYNOPSIS',
    formOf(`${PROGRAM} <command> [options]`),
    '.SH DESCRIPTION',
    ...paragraphs(page.does),
    '.SH COMMANDS',
    ...page.commands.flatMap(commandPart),
    '.SH OPTIONS',
    ...termList(page.options),
    '.SH VALUES',
    ...termList(page.values),
    '.SH EXIT STATUS',
    ...termList(page.exitCodes),
    '.SH ENVIRONMENT',
    ...termList(page.environment),
    '.SH FILES',
    ...termList(page.files),
    '.SH EXAMPLES',
    ...exampleList(page.examples),
    '.SH SEE ALSO',
    prose(`${page.seeAlso.join(', ')} of the package, and \`${PROGRAM} COMMAND --help\`.`),
  ]
    .join('\n')
    .concat('\n');
}

function commandPart(page: CommandPage): string[] {
  return [
    `.SS ${escaped(page.name)}`,
    ...synopsisOf(page).flatMap((form, index) => (index === 0 ? [formOf(form)] : ['.br', formOf(form)])),
    '.PP',
    ...paragraphs(page.does),
    ...termList([...page.arguments, ...page.options]),
    ...(page.sections ?? []).flatMap(({ title, text = [], terms = [] }) => [
      '.PP',
      `${bold(title)}:`,
      ...text.map(prose),
      ...termList(terms),
    ]),
    '.PP',
    'Examples:',
    '.PP',
    ...exampleList(page.examples),
    '.PP',
    'Exit status:',
    ...termList(page.exitCodes),
  ];
}

/** Texts with a paragraph's space between them. */
function paragraphs(texts: readonly string[]): string[] {
  return texts.flatMap((text, index) => [...(index > 0 ? ['.PP'] : []), prose(text)]);
}

function termList(terms: readonly Term[]): string[] {
  return terms.flatMap(([term, meaning]) => ['.TP', formOf(term), prose(meaning)]);
}

function exampleList(examples: ProgramPage['examples']): string[] {
  return examples.flatMap(({ typed, does }, index) => [
    ...(index > 0 ? ['.PP'] : []),
    prose(`${does}:`),
    '.PP',
    '.RS 4',
    '.nf',
    bold(typed),
    '.fi',
    '.RE',
  ]);
}

/** What is typed: words as they are in bold, what stands for something else in italics, brackets plain. */
function formOf(form: string): string {
  return form.replace(/<([^>]*)>|([^<>[\]|\s,]+)|([[\]|\s,>]+)/g, (_, placeholder, word, between) => {
    if (placeholder !== undefined) return `\\fI${escaped(String(placeholder))}\\fR`;
    return word !== undefined ? bold(String(word)) : String(between);
  });
}

/** A sentence; what stands in backticks is typed. */
function prose(text: string): string {
  const written = text
    .split('`')
    .map((piece, index) => (index % 2 === 1 ? bold(piece) : escaped(piece)))
    .join('');
  return protectedLine(written);
}

function bold(text: string): string {
  return protectedLine(`\\fB${escaped(text)}\\fR`);
}

/** A dot or an apostrophe that begins a line would be a request. */
function protectedLine(line: string): string {
  return /^[.']/.test(line) ? `\\&${line}` : line;
}

/** Characters as they stand: a plain hyphen would become a typographic one, which no shell takes. */
function escaped(text: string): string {
  return text
    .replaceAll('\\', '\\e')
    .replaceAll('-', '\\-')
    .replaceAll("'", '\\(aq')
    .replaceAll('`', '\\(ga')
    .replaceAll('^', '\\(ha')
    .replaceAll('~', '\\(ti')
    .replace(
      /[^\x20-\x7e]/gu,
      (char) => `\\[u${(char.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, '0')}]`,
    );
}
