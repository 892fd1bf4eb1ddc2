import { spawnSync } from 'node:child_process';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { OutputError } from '../../src/outputs/output.ts';
import { Secret } from '../../src/secret.ts';
import { createLogger } from '../../src/telemetry/logger.ts';
import { MemoryStream } from './memory-stream.ts';

const SECRET = 'hunter2-0123456789';

function jsonLog(level = 'info') {
  const stream = new MemoryStream();
  return { stream, logger: createLogger({ level, format: 'json', destination: stream }) };
}

function prettyLog(color = false) {
  const stream = new MemoryStream();
  return { stream, logger: createLogger({ level: 'trace', format: 'pretty', destination: stream, color }) };
}

describe('the log', () => {
  it('is JSON with the level as a word and the time in ISO 8601', () => {
    const { stream, logger } = jsonLog();
    logger.child({ feed: 'attachment' }).warn({ new: 39 }, 'polled');
    logger.debug('not at this level');
    expect(stream.entries).toEqual([
      {
        level: 'warn',
        time: expect.stringMatching(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/),
        feed: 'attachment',
        new: 39,
        msg: 'polled',
      },
    ]);
  });

  it('is pretty on a terminal when the format is auto, and JSON elsewhere', () => {
    const terminal = new MemoryStream({ isTTY: true });
    const pipe = new MemoryStream();
    for (const destination of [terminal, pipe]) {
      createLogger({ level: 'info', format: 'auto', destination }).info({ feed: 'url' }, 'polled');
    }
    expect(terminal.text).toContain('\u001b[');
    expect(JSON.parse(pipe.text)).toMatchObject({ msg: 'polled' });
  });

  it('has one line an entry when pretty too, errors included', () => {
    const { stream, logger } = prettyLog();
    logger.info({ feed: 'url' }, 'polled');
    logger.error(
      { err: new OutputError('refused', { reason: 'auth', disposition: 'halt', hint: 'Do it.' }) },
      'failed',
    );
    expect(stream.lines).toHaveLength(2);
    expect(stream.lines[0]).toMatch(/^\[\d\d:\d\d:\d\d\.\d{3}\] INFO: polled \{"feed":"url"\}$/);
    expect(stream.lines[1]).toMatch(/ERROR: failed \{"err":\{.*"hint":"Do it\."\}\}$/);
  });

  it('does not end the program when nobody reads it any more', () => {
    const { stream, logger } = jsonLog();
    stream.destroy(Object.assign(new Error('write EPIPE'), { code: 'EPIPE' }));
    expect(() => logger.info('still here')).not.toThrow();
  });

  it.each(['json', 'pretty'])(
    'loses no line when the process ends at once (%s, a pipe that is read late)',
    (format) => {
      const script = `
      import { createLogger } from './src/telemetry/logger.ts';
      const logger = createLogger({ level: 'info', format: '${format}', destination: process.stderr });
      for (let line = 0; line < 2000; line += 1) logger.info({ line }, 'about to end');
      process.exit(0);`;
      // A real pipe, which a child of Node would not get, and a reader that lets its 64 KiB run full.
      const { stdout } = spawnSync(
        'sh',
        ['-c', '"$0" --input-type=module-typescript -e "$1" 2>&1 | (sleep 0.5; cat)', process.execPath, script],
        {
          encoding: 'utf8',
          cwd: new URL('../..', import.meta.url),
        },
      );
      const lines = stdout.trimEnd().split('\n');
      expect(lines).toHaveLength(2000);
      expect(lines.at(-1)).toContain('"line":1999');
    },
  );

  it.each([
    ['the reader of the pipe is gone', '{ "$0" --input-type=module-typescript -e "$1" 2>&1 >&3 | true; } 3>&1'],
    ['the disk is full', '"$0" --input-type=module-typescript -e "$1" 2>/dev/full'],
  ])('goes on when %s', (_, command) => {
    const script = `
      import { createLogger } from './src/telemetry/logger.ts';
      const logger = createLogger({ level: 'info', format: 'json', destination: process.stderr });
      for (let line = 0; line < 2000; line += 1) logger.info({ line }, 'nobody listens');
      process.stdout.write('done');`;
    const { stdout, status } = spawnSync('sh', ['-c', command, process.execPath, script], {
      encoding: 'utf8',
      cwd: new URL('../..', import.meta.url),
    });
    expect([status, stdout]).toEqual([0, 'done']);
  });
});

describe('secrets', () => {
  it('are masked by name at several depths, and as objects anywhere', () => {
    const { stream, logger } = jsonLog();
    logger.info({ token: SECRET, output: { token: SECRET, url: 'https://siem.example' } }, 'a');
    logger.info({ request: { headers: { Authorization: `Bearer ${SECRET}`, 'x-api-key': SECRET } } }, 'b');
    logger.info({ config: { mimecast: { auth: { clientSecret: SECRET, clientId: 'id-1' } } } }, 'c');
    logger.info({ odd: { name: [Secret.of(SECRET)] }, secret: Secret.of(SECRET) }, 'd');
    logger.child({ password: SECRET }).info('e');
    expect(stream.text).not.toContain(SECRET);
    expect(stream.text).toContain('https://siem.example');
    expect(stream.text).toContain('id-1');
    expect(stream.entries).toHaveLength(5);
  });
});

describe('an error in the log', () => {
  function libraryError(): Error {
    const request = { headers: { 'x-company': SECRET }, body: SECRET };
    return Object.assign(new Error('connect ECONNREFUSED'), { code: 'ECONNREFUSED', request, socket: { request } });
  }

  it('tells code, reason, hint and the messages of its causes, and nothing else', () => {
    const { stream, logger } = jsonLog();
    const error = new OutputError('qradar:6514 is not reached', {
      reason: 'connect',
      disposition: 'retry',
      hint: 'Is the log source started?',
      cause: libraryError(),
    });
    logger.error({ err: error }, 'sending failed');
    expect(stream.entries[0]?.err).toEqual({
      type: 'OutputError',
      message: 'qradar:6514 is not reached: connect ECONNREFUSED',
      code: 'OUTPUT_CONNECT',
      reason: 'connect',
      hint: 'Is the log source started?',
    });
  });

  it('gives nothing of a library away under whatever name and depth it is logged', () => {
    const { stream, logger } = jsonLog();
    logger.error(libraryError());
    logger.error({ error: libraryError(), nested: { list: [{ problem: libraryError() }] } }, 'failed');
    expect(stream.text).not.toContain(SECRET);
    expect(stream.entries[1]?.nested).toEqual({
      list: [{ problem: { type: 'Error', message: 'connect ECONNREFUSED', code: 'ECONNREFUSED' } }],
    });
  });

  it('has the frames of a mistake in the program, where the bug is', () => {
    const { stream, logger } = jsonLog();
    logger.error({ err: new TypeError('x is undefined') }, 'failed');
    expect(stream.entries[0]?.err).toMatchObject({ stack: expect.stringContaining('logger.test.ts') });
  });
});

describe('hostile text', () => {
  const hostile = fc.string({
    unit: fc.oneof(
      fc.constantFrom(
        '\n',
        '\r\n',
        '\u001b[2K',
        '\u009b1m',
        '\u202e',
        '\u2028',
        '"',
        '\\',
        '\\n',
        '{',
        '[12:00:00.000] INFO: ',
      ),
      fc.string({ unit: 'binary', minLength: 1, maxLength: 1 }),
    ),
  });

  it('forges no line in JSON', () => {
    fc.assert(
      fc.property(hostile, (text) => {
        const { stream, logger } = jsonLog();
        logger.info({ file: text, deep: { list: [text] } }, 'polled');
        expect(stream.lines).toHaveLength(1);
        expect(stream.entries[0]?.deep).toEqual({ list: [text.toWellFormed()] });
      }),
    );
  });

  it('forges no line, escape or direction when pretty, in fields, names and errors', () => {
    fc.assert(
      fc.property(hostile, (text) => {
        const { stream, logger } = prettyLog();
        logger.info({ file: text, [`name ${text}`]: { list: [text] }, err: new Error(text) }, text);
        expect(stream.lines).toHaveLength(1);
        expect(stream.lines[0]).not.toMatch(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u);
      }),
    );
  });
});
