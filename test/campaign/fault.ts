/** The receivers of a campaign, by the name of their output. */
export const OUTPUTS = ['close', 'relp', 'hook'] as const;
export type OutputName = (typeof OUTPUTS)[number];

/**
 * How a receiver treats what comes: `well` · `breaks` takes a part and resets the connection, in the middle of a frame · `hangs` takes
 * all and never confirms (half-open) · `slow` reads in small bits · `turns away` takes nothing · `forgets` takes all, and the answer is lost ·
 * `busy` (HTTP) 429 · `alerts` (TLS) a fatal alert once the sender holds the handshake for done · `expired` (TLS) a certificate of yesterday.
 */
export type Manner = 'well' | 'breaks' | 'hangs' | 'slow' | 'turns away' | 'forgets' | 'busy' | 'alerts' | 'expired';

/** One thing that goes wrong. What lasts is ended again by the campaign: see `begin`. */
export type Fault =
  | { readonly does: 'kill' | 'terminate' | 'reload' | 'reload-broken' | 'pause-daemon' }
  | { readonly does: 'pause-receiver' | 'restart-receiver' | 'receiver-down'; readonly output: OutputName }
  | { readonly does: 'manner'; readonly output: OutputName; readonly manner: Manner }
  /** Its certificate is from another authority, and the sender learns of that authority later. */
  | { readonly does: 'rotate-certificate' }
  /** Faults of the API, in the words of `simulate --faults`. */
  | { readonly does: 'api'; readonly faults: string }
  | { readonly does: 'revoke-credentials' }
  /** The daemon's wall clock is stepped to this much ahead of the true time, ms. */
  | { readonly does: 'clock'; readonly ahead: number }
  /** The clock is stepped past the store's retention, which the daemon answers with an upkeep, while this output is down and waits for events. */
  | { readonly does: 'retention'; readonly output: OutputName }
  /** All of the store's disk is taken, but for `left` bytes. */
  | { readonly does: 'disk-full'; readonly left: number }
  | { readonly does: 'disk-read-only' | 'io-error' | 'backup' }
  /** Killed, and of the newest part of the write-ahead log this share is gone. */
  | { readonly does: 'cut-log'; readonly share: number }
  /** One page of the store's file, this far through it, is overwritten; later a backup is put in its place. */
  | { readonly does: 'damage'; readonly share: number };

/** The faults that do one of these. */
export type At<Does extends Fault['does']> = Extract<Fault, { readonly does: Does }>;
