import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { entryName } from '../../config/scalars.ts';
import { twinOf } from '../../config/traverse.ts';
import { UsageError } from '../../errors.ts';
import type { OutputType } from '../../outputs/output.ts';
import type { Shell } from '../command.ts';
import type { Options } from '../session.ts';
import type { Asker, Question, Reading } from './asker.ts';
import type { Chosen, SecretPlace } from './config-text.ts';
import { type Asked, isSecretKey, questionsOf, readValue, requireKey } from './destination.ts';
import { CLIENT_ID, CLIENT_SECRET, DESTINATION, REGION } from './questions.ts';
import { clientSecretGiven, secretGiven } from './secrets.ts';
import type { NewFile } from './staging.ts';

/** What was chosen, and the secrets that were typed: each goes into a file beside the config. */
export interface Answers {
  readonly chosen: Chosen;
  readonly secretFiles: readonly NewFile[];
}

/** Keys of outputs that have an option of their own; all others are given with `--set KEY=VALUE`. */
export const OWN_OPTIONS: Readonly<Record<string, string>> = {
  profile: 'what a syslog receiver wants, by its name: qradar, splunk-sc4s …',
  host: 'host name or address of the receiver',
  port: 'port of the receiver',
  protocol: 'udp, tcp, tls, relp or relp-tls',
  format: 'how an event is written: json, cef, leef …',
  envelope: 'syslog header: rfc5424 or rfc3164',
  framing: 'how messages are told apart: octet-counting or newline',
  url: 'URL of the receiver',
  index: 'index to write to',
  path: 'file to append to',
};

/** Takes every answer from the command line that is there, and asks for the rest. */
export async function answersFor(shell: Shell, options: Options, asker: Asker, config: string): Promise<Answers> {
  const asking = new Asking(shell, options, asker, config);
  requireName(text(options.name));
  // What is given is looked at before anybody is asked: a refusal would throw the answers away.
  const secretPlace = clientSecretGiven(shell, config, options);
  const chosen = text(options.output) === undefined ? undefined : await asking.destination();
  const baseUrl = await asking.answer(REGION, text(options.region));
  const clientId = await asking.answer(CLIENT_ID, text(options.clientId));
  const clientSecret = secretPlace ?? (await asking.secret(CLIENT_SECRET, 'mimecast-client-secret'));
  if (clientSecret === undefined) throw new TypeError('the client secret cannot be left out');
  const output = await asking.output(chosen ?? (await asking.destination()));
  const storePath = resolve(shell.cwd, text(options.store) ?? './data/forwarder.db');
  return { chosen: { baseUrl, clientId, clientSecret, output, storePath }, secretFiles: asking.secretFiles };
}

/** An output as far as the command line goes. */
interface Started {
  readonly type: OutputType;
  readonly values: Map<string, unknown>;
  readonly secrets: Map<string, SecretPlace>;
}

class Asking {
  readonly secretFiles: NewFile[] = [];
  readonly #shell: Shell;
  readonly #options: Options;
  readonly #asker: Asker;
  readonly #config: string;

  constructor(shell: Shell, options: Options, asker: Asker, config: string) {
    this.#shell = shell;
    this.#options = options;
    this.#asker = asker;
    this.#config = config;
  }

  /** An answer of the command line that will not do ends the command: who typed it can type it again. */
  async answer<T>(question: Question<T>, given: string | undefined): Promise<T> {
    const found = given === undefined ? await this.#ask(question) : accepted(question, question.read(given));
    if (found === undefined) throw new TypeError(`"${question.text}" cannot be left out`);
    return found;
  }

  /** Of a secret that is typed: it goes into a file beside the config. */
  async secret(question: Question<string>, file: string): Promise<SecretPlace | undefined> {
    const typed = await this.#ask(question);
    if (typed === undefined) return undefined;
    this.secretFiles.push({ name: file, text: `${typed}\n` });
    return { file };
  }

  /** The type of the output, with what the command line says of it. */
  async destination(): Promise<Started> {
    const { type, profile } = await this.answer(DESTINATION, text(this.#options.output));
    const values = new Map<string, unknown>();
    const secrets = new Map<string, SecretPlace>();
    for (const [key, given] of this.#given(profile)) {
      const secretKey = key.endsWith('File') ? key.slice(0, -'File'.length) : key;
      if (isSecretKey(type, secretKey)) {
        secrets.set(secretKey, secretGiven(this.#shell, this.#config, secretKey, key, given));
      } else {
        requireKey(type, key);
        values.set(key, accepted({ text: key, flag: flagOf(key, false) }, this.#read(type, key, given)));
      }
    }
    return { type, values, secrets };
  }

  async output({ type, values, secrets }: Started): Promise<Chosen['output']> {
    const usual = type.type === 'syslog' ? 'siem' : type.type;
    const name = (): string => text(this.#options.name) ?? text(values.get('profile')) ?? usual;
    // What comes later may depend on what was answered just now.
    for (const wanted of questionsOf(type, values, this.#shell.hostname)) {
      if (!secrets.has(wanted.key)) await this.#askFor(type, wanted, name(), values, secrets);
    }
    return { name: name(), type, values, secrets };
  }

  async #askFor(
    type: OutputType,
    wanted: Asked,
    name: string,
    values: Map<string, unknown>,
    secrets: Map<string, SecretPlace>,
  ): Promise<void> {
    const { key } = wanted;
    if (wanted.secret) {
      const read = (answer: string): Reading<string> => {
        const reading = readValue(type, key, answer);
        return 'mistake' in reading ? reading : { value: answer };
      };
      const question = { ...questionFor(wanted), read };
      const place = await this.secret(question, `${name}-${kebab(key)}`);
      if (place !== undefined) secrets.set(key, place);
      return;
    }
    const value = await this.#ask({ ...questionFor(wanted), read: (answer: string) => this.#read(type, key, answer) });
    if (value !== undefined) values.set(key, value);
  }

  /** Names of files are meant from where they are typed, and the config is read from elsewhere: they are written whole. */
  #read(type: OutputType, key: string, answer: string): Reading<unknown> {
    const isRead = key.endsWith('File');
    if (answer.includes('${') || !(isRead || (type.type === 'file' && key === 'path')))
      return readValue(type, key, answer);
    const path = resolve(this.#shell.cwd, answer);
    if (isRead && !existsSync(path)) return { mistake: `expected a file that is there: ${path} is not` };
    return readValue(type, key, path);
  }

  #ask<T>(question: Question<T>): Promise<T | undefined> {
    const { fallback, optional } = question;
    if (this.#options.yes !== true || (fallback === undefined && optional !== true)) return this.#asker.ask(question);
    return Promise.resolve(fallback === undefined ? undefined : accepted(question, question.read(fallback)));
  }

  /** Keys and values of the command line: those with an option of their own, and those of `--set`. */
  *#given(profile: string | undefined): Generator<[key: string, value: string]> {
    if (profile !== undefined) yield ['profile', profile];
    for (const key of Object.keys(OWN_OPTIONS)) {
      const value = text(this.#options[key]);
      if (value !== undefined) yield [key, value];
    }
    for (const setting of Array.isArray(this.#options.set) ? this.#options.set : []) {
      const [, key, value] = /^([\w.]+)=(.*)$/s.exec(String(setting)) ?? [];
      if (key === undefined || value === undefined) {
        throw new UsageError(
          `--set takes KEY=VALUE`,
          'For example --set tenantId=contoso.example; docs/config.md has the keys.',
        );
      }
      yield [key, value];
    }
  }
}

function questionFor({
  key,
  optional,
  fallback,
  secret,
  description,
  choices,
}: Asked): Omit<Question<unknown>, 'read'> {
  const list = choices.map(([name, summary]) => (summary === '' ? ` ${name}` : `\n  ${name.padEnd(14)} ${summary}`));
  const about = [
    description.replaceAll('`', ''),
    list.length > 0 ? `One of${list.join(list[0]?.startsWith('\n') ? '' : ',')}` : '',
  ];
  return {
    text: `${key}${secret ? ' (is not shown)' : ''}`,
    about: about.filter((line) => line !== ''),
    flag: flagOf(key, secret),
    fallback,
    optional,
    secret,
  };
}

function flagOf(key: string, secret: boolean): string {
  if (secret) return `--set ${twinOf(key)}=FILE`;
  return Object.hasOwn(OWN_OPTIONS, key) ? `--${key} VALUE` : `--set ${key}=VALUE`;
}

function accepted<T>({ text: name, flag }: Pick<Question<T>, 'text' | 'flag'>, reading: Reading<T>): T {
  if ('value' in reading) return reading.value;
  throw new UsageError(`${flag.split(' ').slice(0, 1).join(' ')} (${name}): ${reading.mistake}`);
}

/** It becomes a part of the names of files before the config is checked. */
function requireName(name: string | undefined): void {
  const mistake = name === undefined ? undefined : entryName('').safeParse(name).error?.issues[0]?.message;
  if (mistake !== undefined) throw new UsageError(`--name: ${mistake}`);
}

function text(value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' ? value : undefined;
}

function kebab(key: string): string {
  return key.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
}
