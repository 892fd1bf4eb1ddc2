import { describe, expect, it } from 'vitest';
import { Recorder, type Watched } from '../../src/daemon/recorder.ts';
import type { Subject } from '../../src/store/activity.ts';
import type { Store } from '../../src/store/store.ts';
import { Episode, type Failure } from '../../src/telemetry/episodes.ts';
import { createLogger } from '../../src/telemetry/logger.ts';
import { failAt, openStore, START, storePath } from '../store/harness.ts';
import { MemoryStream } from '../telemetry/memory-stream.ts';

const SECOND = 1000;
const MINUTE = 60 * SECOND;
const SIEM: Subject = 'output siem';
const FAILURE: Failure = { reason: 'timeout', message: 'no answer', hint: null, retryable: true, nextTryAt: null };
const ALWAYS = { from: 0, until: 2 * START };

/** A recorder on a real store, with a clock and an output that do as a test says. */
class Recording {
  readonly store: Store;
  now = START;
  waiting = 0;
  hasWorked = false;
  episode: Episode;
  /** What the output has accepted. */
  #counter = { accepted: 0 };
  isWatched = true;
  recorder: Recorder;

  constructor(path: string = storePath()) {
    this.store = openStore(path);
    this.episode = this.#newEpisode();
    this.recorder = this.#newRecorder(START);
  }

  set accepted(count: number) {
    this.#counter.accepted = count;
  }

  get accepted(): number {
    return this.#counter.accepted;
  }

  /** Another takes its place, and counts from 0. */
  replaceOutput(): void {
    this.#counter = { accepted: 0 };
    this.hasWorked = false;
    this.episode = this.#newEpisode();
  }

  #newEpisode(): Episode {
    const logger = createLogger({ level: 'fatal', format: 'json', destination: new MemoryStream() });
    return new Episode({ subject: 'output siem', fields: {}, logger, now: () => this.now });
  }

  /** A beat so many seconds after the start. */
  beat(seconds: number): void {
    this.now = START + seconds * SECOND;
    this.recorder.sample(this.now);
    this.recorder.write();
  }

  /** The daemon dies, and another starts at such a second; it was last seen alive at `lastSign`. */
  restart(seconds: number, lastSign: number): void {
    this.now = START + seconds * SECOND;
    this.replaceOutput();
    this.recorder = this.#newRecorder(START + lastSign * SECOND);
  }

  failsAt(seconds: number, message = FAILURE.message): void {
    this.now = START + seconds * SECOND;
    this.episode.failed({ ...FAILURE, message });
  }

  worksAt(seconds: number): void {
    this.now = START + seconds * SECOND;
    this.hasWorked = true;
    this.episode.succeeded();
  }

  get minutes(): [minute: number, count: number, waiting: number | null][] {
    return this.store.activity
      .minutes(SIEM, ALWAYS)
      .map(({ minute, count, waiting }) => [minute - START / MINUTE, count, waiting]);
  }

  /** From and until in seconds. */
  get failures(): [from: number, until: number | null][] {
    const seconds = (at: number) => (at - START) / SECOND;
    return this.store.activity
      .failures(SIEM, ALWAYS)
      .map(({ from, until }) => [seconds(from), until === null ? null : seconds(until)]);
  }

  #newRecorder(lastSign: number): Recorder {
    return new Recorder(this.store, () => (this.isWatched ? [this.#watched()] : []), { now: this.now, lastSign });
  }

  #watched(): Watched {
    const counter = this.#counter;
    return {
      subject: SIEM,
      counter,
      count: () => counter.accepted,
      waiting: () => this.waiting,
      episode: this.episode,
      hasWorked: () => this.hasWorked,
    };
  }
}

describe('minutes', () => {
  it('are written when they are over, with what was counted in them and what waits at their end', () => {
    const recording = new Recording();
    recording.beat(0);
    for (let seconds = 5; seconds <= 55; seconds += 5) {
      recording.accepted += 10;
      recording.beat(seconds + 0.01);
      expect(recording.minutes).toEqual([]);
    }
    recording.accepted += 3;
    recording.waiting = 4;
    recording.beat(60.02);
    expect(recording.minutes).toEqual([[0, 113, 4]]);
    recording.waiting = 0;
    recording.beat(120.02);
    // An idle minute is written too: it is no minute without a daemon.
    expect(recording.minutes.at(-1)).toEqual([1, 0, 0]);
  });

  it('are written at the end, and go on after it', () => {
    const recording = new Recording();
    recording.accepted = 5;
    recording.recorder.end(START + 20 * SECOND);
    expect(recording.minutes).toEqual([[0, 5, 0]]);
    recording.restart(30, 20);
    recording.accepted = 2;
    recording.beat(60);
    expect(recording.minutes).toEqual([[0, 7, 0]]);
  });

  it('in which the machine slept have no row', () => {
    const recording = new Recording();
    recording.beat(5);
    recording.accepted = 1;
    recording.beat(600);
    recording.beat(660);
    expect(recording.minutes).toEqual([
      [0, 1, 0],
      [10, 0, 0],
    ]);
  });

  it('keep what an output accepted before another took its place', () => {
    const recording = new Recording();
    recording.accepted = 40;
    recording.beat(5);
    recording.accepted = 42;
    recording.replaceOutput();
    recording.accepted = 3;
    recording.beat(10);
    recording.accepted = 4;
    recording.beat(60);
    expect(recording.minutes).toEqual([[0, 46, 0]]);
  });

  it('wait in memory while the disk is full, and of a day at most', () => {
    const path = storePath();
    const recording = new Recording(path);
    const mend = failAt(path, 'minute');
    recording.accepted = 1;
    for (let minute = 1; minute <= 1500; minute += 1) expect(() => recording.beat(minute * 60)).toThrow('broken');
    mend();
    recording.accepted = 2;
    recording.beat(1501 * 60);
    expect(recording.minutes).toHaveLength(1440);
    expect(recording.minutes.at(-1)).toEqual([1500, 1, 0]);
  });
});

describe('a failure', () => {
  it('is in the store at the next beat, and so is its end', () => {
    const recording = new Recording();
    recording.beat(0);
    recording.failsAt(7);
    recording.beat(10);
    expect(recording.failures).toEqual([[7, null]]);
    recording.failsAt(12);
    recording.beat(15);
    recording.worksAt(17);
    recording.beat(20);
    expect(recording.failures).toEqual([[7, 17]]);
    expect(recording.store.activity.lastOver(SIEM)).toMatchObject({ reason: 'timeout', message: 'no answer' });
  });

  it('that is shorter than a beat is not missed', () => {
    const recording = new Recording();
    recording.beat(0);
    recording.failsAt(1);
    recording.worksAt(2);
    recording.failsAt(4);
    recording.beat(5);
    recording.worksAt(6);
    recording.failsAt(7, 'x'.repeat(10_000));
    recording.worksAt(8);
    recording.beat(10);
    // Of the second one only the beginning was seen: it was over when the third began.
    expect(recording.failures).toEqual([
      [1, 2],
      [4, 7],
      [7, 8],
    ]);
    expect(recording.store.activity.lastOver(SIEM)?.message).toHaveLength(500);
  });

  it('that lasted when the daemon died ended with it, when the next one finds that it works', () => {
    const recording = new Recording();
    recording.failsAt(7);
    recording.beat(10);
    recording.restart(300, 95);
    recording.beat(300);
    expect(recording.failures).toEqual([[7, 95]]);
    recording.worksAt(301);
    recording.beat(305);
    recording.failsAt(400);
    recording.beat(405);
    expect(recording.failures).toEqual([
      [7, 95],
      [400, null],
    ]);
  });

  it('that lasted when the daemon died goes on, when the next one finds it there', () => {
    const recording = new Recording();
    recording.failsAt(7);
    recording.beat(10);
    recording.restart(300, 95);
    recording.beat(300);
    recording.failsAt(301, 'refused');
    recording.beat(305);
    expect(recording.failures).toEqual([[7, null]]);
    recording.worksAt(400);
    recording.beat(405);
    expect(recording.failures).toEqual([[7, 400]]);
    expect(recording.store.activity.lastOver(SIEM)?.message).toBe('refused');
  });

  it('of an output that is built anew goes on, when it is still there', () => {
    const recording = new Recording();
    recording.failsAt(7);
    recording.beat(10);
    recording.replaceOutput();
    recording.beat(15);
    expect(recording.failures).toEqual([[7, 15]]);
    recording.failsAt(16);
    recording.beat(20);
    expect(recording.failures).toEqual([[7, null]]);
  });

  it('of an output that is gone ends', () => {
    const recording = new Recording();
    recording.failsAt(7);
    recording.beat(10);
    recording.isWatched = false;
    recording.beat(15);
    expect(recording.failures).toEqual([[7, 15]]);
  });
});
