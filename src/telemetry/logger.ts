import { type Logger, type LoggerOptions, pino, stdTimeFunctions } from 'pino';
import { prettyFactory } from 'pino-pretty';
import { type LogDestination, type LogSink, logSink } from './log-sink.ts';
import { loggableFields, serializeError, withoutControls } from './loggable.ts';
import { REDACTED_PATHS } from './redaction.ts';

export type { Logger } from 'pino';

export interface LogOptions {
  readonly level: string;
  /** `auto` is pretty on a terminal and JSON everywhere else. */
  readonly format: 'json' | 'pretty' | 'auto';
  /** Standard error, as results go to standard output. Lines are written synchronously; see `logSink`. */
  readonly destination: LogDestination;
  /** Colours of the pretty format; by default on a terminal. */
  readonly color?: boolean;
}

/**
 * The program's log: one line an entry, level as a word, time in ISO 8601.
 *
 * Messages are static texts and what varies is in fields, so that lines can be counted and searched. Secrets are masked by name
 * at several depths, and of an error only what `serializeError` picks is written.
 */
export function createLogger(options: LogOptions): Logger {
  const sink = logSink(options.destination);
  const pinoOptions: LoggerOptions = {
    level: options.level,
    base: null,
    timestamp: stdTimeFunctions.isoTime,
    formatters: { level: (label) => ({ level: label }), log: loggableFields },
    serializers: { err: serializeError },
    redact: { paths: [...REDACTED_PATHS], censor: '***' },
  };
  return pino(pinoOptions, isPretty(options) ? prettySink(sink, options) : sink);
}

function isPretty({ format, destination }: LogOptions): boolean {
  return format === 'pretty' || (format === 'auto' && destination.isTTY === true);
}

/**
 * One line an entry here too. pino-pretty's own stream hands lines on later, from a pipeline that is not flushed when the process
 * ends; its formatter alone, called for each line, is as synchronous as the sink.
 */
function prettySink(sink: LogSink, { destination, color }: LogOptions): LogSink {
  const prettify = prettyFactory({
    colorize: color ?? destination.isTTY === true,
    singleLine: true,
    translateTime: 'UTC:HH:MM:ss.l',
    // As ordinary fields: pino-pretty would give an error lines of its own, and a hint in it could then pretend to be an entry.
    errorLikeObjectKeys: [],
  });
  return { write: (line) => sink.write(prettify(withoutControls(JSON.parse(line)))) };
}
