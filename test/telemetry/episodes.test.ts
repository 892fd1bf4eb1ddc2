import { describe, expect, it } from 'vitest';
import { Episode, type Failure } from '../../src/telemetry/episodes.ts';
import { createLogger } from '../../src/telemetry/logger.ts';
import { MemoryStream } from './memory-stream.ts';

const START = Date.parse('2026-11-23T14:02:11Z');
const MINUTE = 60_000;

const down: Failure = {
  reason: 'connect',
  message: 'nothing listens on qradar:6514',
  hint: 'Is the log source started?',
  retryable: true,
  nextTryAt: START + 1000,
};

function begin() {
  let now = START;
  const stream = new MemoryStream();
  const logger = createLogger({ level: 'info', format: 'json', destination: stream });
  const episode = new Episode({ subject: 'output qradar', fields: { output: 'qradar' }, logger, now: () => now });
  const said = () => stream.entries.map(({ level, msg }) => `${String(level)}: ${String(msg)}`);
  return { episode, stream, said, pass: (ms: number) => (now += ms) };
}

describe('an episode', () => {
  it('is logged when it starts, every five minutes and when it ends, not once a try', () => {
    const { episode, stream, said, pass } = begin();
    for (let tries = 0; tries < 61; tries += 1) {
      episode.failed(down);
      pass(10_000);
    }
    pass(-10_000);
    episode.succeeded();
    episode.succeeded();
    expect(said()).toEqual([
      'warn: output qradar fails',
      'warn: output qradar still fails',
      'warn: output qradar still fails',
      'info: output qradar works again: the failure is over',
    ]);
    expect(stream.entries[1]).toMatchObject({
      output: 'qradar',
      reason: 'connect',
      error: 'nothing listens on qradar:6514',
      hint: 'Is the log source started?',
      failures: 31,
      since: '2026-11-23T14:02:11.000Z',
      nextTryAt: '2026-11-23T14:02:12.000Z',
    });
    expect(stream.entries[3]).toMatchObject({ failures: 61, lasted: '10 min' });
  });

  it('tells a new reason at once, but not each time that two take turns', () => {
    const { episode, said, pass } = begin();
    for (let turn = 0; turn < 10; turn += 1) {
      episode.failed(down);
      pass(1000);
      episode.failed({ ...down, reason: 'auth', retryable: false });
      pass(1000);
    }
    expect(said()).toEqual(['warn: output qradar fails', 'error: output qradar fails for another reason']);
  });

  it('holds the trouble for the status until it is over', () => {
    const { episode, pass } = begin();
    expect(episode.current).toBeNull();
    episode.failed(down);
    pass(2 * MINUTE);
    episode.failed({ ...down, message: 'the handshake timed out', nextTryAt: null });
    expect(episode.current).toEqual({
      ...down,
      message: 'the handshake timed out',
      nextTryAt: null,
      since: START,
      at: START + 2 * MINUTE,
      count: 2,
    });
    episode.succeeded();
    expect(episode.current).toBeNull();
  });

  it('begins anew after a success', () => {
    const { episode, said, pass } = begin();
    episode.failed(down);
    episode.succeeded();
    pass(1000);
    episode.failed(down);
    expect(said()[2]).toBe('warn: output qradar fails');
    expect(episode.current).toMatchObject({ since: START + 1000, count: 1 });
  });
});
