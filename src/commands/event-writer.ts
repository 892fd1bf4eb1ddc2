import { parse } from 'yaml';
import { z } from 'zod';
import type { LoadedConfig } from '../config/load.ts';
import { closest, formatPath } from '../config/mistakes.ts';
import { expectation, findingsOf } from '../config/words.ts';
import { createOutput } from '../daemon/outputs.ts';
import { UsageError } from '../errors.ts';
import type { ForwarderEvent } from '../event.ts';
import type { Envelope } from '../formats/envelopes/envelope.ts';
import { envelopes, headerName } from '../formats/envelopes/index.ts';
import type { Format, FormatType } from '../formats/format.ts';
import { formats } from '../formats/index.ts';
import type { Shell } from './command.ts';
import { hostOf, numberOption, type Options } from './session.ts';

/** How `format` writes an event: as one line, without its end. */
export type EventWriter = (event: ForwarderEvent) => string;

/** As a configured output would send it: its format, header and size limit. Connects to nothing. */
export function writerOfOutput(shell: Shell, { config }: LoadedConfig, name: string): EventWriter {
  const outputConfig = config.outputs.find((output) => output.name === name);
  if (!outputConfig) {
    const names = config.outputs.map((output) => output.name).join(', ');
    throw new UsageError(`there is no output ${name}`, `The config has ${names}.`);
  }
  const output = createOutput(outputConfig, hostOf(shell));
  const preview = output.preview?.bind(output);
  if (!preview) {
    throw new UsageError(
      `an output of type ${outputConfig.type.type} puts events into requests of its own and cannot show one alone`,
      `See the text inside with --as ${outputConfig.format.type.name}.`,
    );
  }
  return (event) => preview(event).text;
}

/** As `--as`, `--option`, `--envelope` and `--max-bytes` say. */
export function writerFromOptions(shell: Shell, options: Options): EventWriter {
  const format = chosenFormat(String(options.as ?? 'json'), (options.option ?? []) as readonly string[]);
  const maxBytes = options.maxBytes === undefined ? undefined : numberOption(options.maxBytes, '--max-bytes', 480);
  const table: Readonly<Record<string, Envelope>> = envelopes;
  const envelope = options.envelope === undefined ? undefined : table[String(options.envelope)];
  if (!envelope) return (event) => format.render(event, maxBytes).text;
  const context = {
    facility: 13,
    hostname: headerName(shell.hostname, 255),
    appName: 'mimecast-forwarder',
    procId: String(shell.pid),
    enterpriseId: 32473,
    timezone: 'UTC',
    tag: format.tagged !== true,
  };
  return (event) => {
    const room = maxBytes === undefined ? undefined : maxBytes - envelope.header(event, context, true).length;
    const { text, shortened } = format.render(event, room);
    return envelope.header(event, context, shortened) + text;
  };
}

/** A format by its name, with its own options as `KEY=VALUE`. Throws a `UsageError` that names every mistake. */
export function chosenFormat(name: string, pairs: readonly string[]): Format {
  const type = formats[name];
  if (!type) throw new UsageError(`there is no format ${name}`);
  const written = Object.fromEntries(pairs.map((pair) => optionOf(type, pair)));
  const checked = type.options.safeParse(written, { error: expectation });
  if (checked.success) return type.create(checked.data);
  const findings = findingsOf(checked.error.issues, {
    schema: type.options,
    tree: written,
    isFromEnvironment: () => false,
  });
  const lines = findings.map(
    ({ path, message }) => `--option ${[formatPath(path, written), message].filter(Boolean).join(': ')}`,
  );
  throw new UsageError(lines.join('\n'));
}

/** `version=2.0` as the option that is meant: text where the format takes a text, else what YAML would read. */
function optionOf(type: FormatType, pair: string): [key: string, value: unknown] {
  const [, key = '', text = ''] = /^([^=]+)=(.*)$/s.exec(pair) ?? [];
  if (key === '') throw new UsageError(`--option ${pair} is no KEY=VALUE`);
  const known = Object.keys(type.options.shape);
  const schema = type.options.shape[key];
  if (!schema) {
    const meant = closest(key, known);
    const expected = meant === undefined ? `it has ${known.join(', ') || 'none'}` : `did you mean ${meant}?`;
    throw new UsageError(`--option ${key}: the format ${type.name} has no such option, ${expected}`);
  }
  return [key, z.safeParse(schema, text).success ? text : yamlValue(text)];
}

function yamlValue(text: string): unknown {
  try {
    return parse(text) as unknown;
  } catch {
    return text;
  }
}
