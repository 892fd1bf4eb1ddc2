import type { Draws } from '../../src/simulate/draws.ts';
import { type Fault, type Manner, OUTPUTS, type OutputName } from './fault.ts';

/** What a fault is done to. Two faults of one target wait for each other; all others overlap. Of the API, two do. */
export type Target = OutputName | 'daemon' | 'api' | 'the other api' | 'credentials' | 'clock' | 'disk';

/** A class of faults, one row of the table in docs/reliability.md. */
export interface FaultClass {
  readonly name: string;
  /** How often it is drawn, to the others. */
  readonly weight: number;
  readonly fault: (draws: Draws) => Fault;
  readonly targetOf: (fault: Fault, draws: Draws) => Target;
}

/** The larger of the two page sizes that a run uses; more records than this in one second cannot be one page. */
export const SAME_SECOND = 41;

/** Which receivers can misbehave so: syslog has no word for "later", and only one of them speaks TLS. */
const MANNERS: readonly (readonly [name: string, manner: Manner, ...outputs: [OutputName, ...OutputName[]]])[] = [
  ['reset in mid-frame', 'breaks', ...OUTPUTS],
  ['half-open', 'hangs', ...OUTPUTS],
  ['slow reads', 'slow', ...OUTPUTS],
  ['turned away', 'turns away', ...OUTPUTS],
  ['answer lost', 'forgets', 'relp', 'hook'],
  ['receiver busy', 'busy', 'hook'],
  ['TLS alert after the handshake', 'alerts', 'close'],
  ['expired certificate', 'expired', 'close'],
];

/** Each class of the simulator's faults. What fails every time also fails every retry, so most leave a chance. */
const API_FAULTS: readonly (readonly [name: string, ...faults: [string, ...string[]]])[] = [
  ['429', '429:p=0.6,by=200ms,on=any'],
  // A bearer token is good for half an hour: without its end, the call for a token would never be asked.
  ['401', '401:p=0.5', '401:count=1,on=token,token-expiry:count=1'],
  ['5xx', '5xx:p=0.6,on=any'],
  ['cut', 'cut:p=0.6'],
  ['html', 'html:p=0.6'],
  ['reset', 'reset:p=0.6,on=any'],
  ['slow', 'slow:p=0.6,by=300ms'],
  ['empty-body', 'empty-body:p=0.5'],
  ['forbidden', 'forbidden:count=1'],
  ['token-expiry', 'token-expiry:every=2'],
  ['page-token-expiry', 'page-token-expiry:every=2'],
  ['fail-in-200', 'fail-in-200:p=0.6'],
  ['status-in-200', 'status-in-200:p=0.6'],
  // Three empty pages in a row end a walk. Two of these side by side make two.
  ['empty-with-next', 'empty-with-next:every=4', 'empty-with-next:at=end'],
  ['repeated-next', 'repeated-next:p=0.5', 'repeated-next:at=end'],
  ['duplicate-pages', 'duplicate-pages:p=0.7'],
  ['shuffle', 'shuffle:p=0.7'],
  ['malformed-record', 'malformed-record:p=0.5'],
  // A clock that has just been put back: what was "now" a moment ago lies in its future.
  ['refuse-future', 'refuse-future,clock-skew:by=-2s'],
  ['late', 'late:p=0.5,by=1500ms'],
  ['clock-skew', 'clock-skew:by=1s', 'clock-skew:by=-1s', 'clock-skew:by=5m'],
];

/** Steps of the wall clock, ms: a second, a zone, a day. */
const CLOCKS: readonly [number, ...number[]] = [1000, -1000, 3_600_000, -3_600_000, 86_400_000, -86_400_000];

export const CLASSES: readonly FaultClass[] = [
  fixed('kill -9', 'daemon', 6, { does: 'kill' }),
  fixed('SIGTERM', 'daemon', 1, { does: 'terminate' }),
  fixed('SIGHUP, new config', 'daemon', 2, { does: 'reload' }),
  fixed('SIGHUP, broken config', 'daemon', 1, { does: 'reload-broken' }),
  fixed('SIGSTOP of the daemon', 'daemon', 1, { does: 'pause-daemon' }),
  ofReceiver('SIGSTOP of a receiver', 'pause-receiver'),
  ofReceiver('receiver restarted', 'restart-receiver'),
  ofReceiver('receiver down', 'receiver-down'),
  ...MANNERS.map(
    ([name, manner, ...outputs]): FaultClass => ({
      name,
      weight: 1,
      fault: (draws) => ({ does: 'manner', output: draws.pick(outputs), manner }),
      targetOf: receiverOf,
    }),
  ),
  fixed('rotated certificate', 'close', 1, { does: 'rotate-certificate' }),
  ...API_FAULTS.map(
    ([name, ...faults]): FaultClass => ({
      name: `API ${name}`,
      weight: 1,
      fault: (draws) => ({ does: 'api', faults: draws.pick(faults) }),
      targetOf: (_, draws) => draws.pick(['api', 'the other api']),
    }),
  ),
  fixed('credentials revoked', 'credentials', 1, { does: 'revoke-credentials' }),
  drawn('clock stepped', 'clock', (draws) => ({ does: 'clock', ahead: draws.pick(CLOCKS) })),
  drawn('retention beside a backlog', 'clock', (draws) => ({ does: 'retention', output: draws.pick(OUTPUTS) })),
  drawn('disk full', 'disk', (draws) => ({ does: 'disk-full', left: draws.below(1024 * 1024) })),
  fixed('disk read-only', 'disk', 1, { does: 'disk-read-only' }),
  fixed('I/O error', 'disk', 1, { does: 'io-error' }),
  drawn('log cut', 'disk', (draws) => ({ does: 'cut-log', share: draws.fraction() })),
  drawn('page damaged', 'disk', (draws) => ({ does: 'damage', share: draws.fraction() })),
  fixed('backup put back', 'disk', 1, { does: 'backup' }),
];

/** What is in the mail or in the place, and so never drawn as a fault of its own. */
export const CIRCUMSTANCES = ['one second over pages', 'late mail', 'change of summer time'] as const;

/** Names of all that has to be seen to strike. */
export const CLASS_NAMES: readonly string[] = [...CLASSES.map(({ name }) => name), ...CIRCUMSTANCES];

function fixed(name: string, target: Target, weight: number, fault: Fault): FaultClass {
  return { name, weight, fault: () => fault, targetOf: () => target };
}

function drawn(name: string, target: Target, fault: FaultClass['fault']): FaultClass {
  return { name, weight: 1, fault, targetOf: () => target };
}

function ofReceiver(name: string, does: 'pause-receiver' | 'restart-receiver' | 'receiver-down'): FaultClass {
  return { name, weight: 1, fault: (draws) => ({ does, output: draws.pick(OUTPUTS) }), targetOf: receiverOf };
}

function receiverOf(fault: Fault): Target {
  if (!('output' in fault)) throw new TypeError(`${fault.does} is not done to a receiver`);
  return fault.output;
}
