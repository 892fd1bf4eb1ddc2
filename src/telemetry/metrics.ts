import { Counter, Gauge, Histogram, Registry } from 'prom-client';

/** Every metric is called `mimecast_forwarder_…`; this is the whole list, and the reference is made from it. */
const PREFIX = 'mimecast_forwarder_';

const QUICK_SECONDS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60];
/** From seconds to a month: how late a record surfaces, how old an event is when it is accepted. */
const LATE_SECONDS = [1, 5, 15, 30, 60, 120, 300, 600, 1800, 3600, 7200, 21_600, 86_400, 604_800, 2_592_000];

/**
 * All metrics of the daemon, in a registry of their own. One instance a process; the rooms are handed what they count with.
 * Labels are configured names and closed sets only: no metric grows with what Mimecast sends.
 */
export class Metrics {
  readonly registry = new Registry();

  readonly apiRequests = this.#counter('api_requests_total', 'Requests sent to Mimecast.', ['feed']);
  readonly apiErrors = this.#counter(
    'api_errors_total',
    'Requests to Mimecast that failed, by reason: auth, forbidden, rate_limited, bad_request, server, network, timeout, malformed.',
    ['feed', 'reason'],
  );
  readonly apiRequestDuration = this.#histogram(
    'api_request_duration_seconds',
    'Time from sending a request to Mimecast to the end of its answer.',
    ['feed'],
    QUICK_SECONDS,
  );
  readonly apiRateLimited = this.#counter('api_rate_limited_total', 'Answers of Mimecast with status 429.', ['feed']);
  readonly apiClockSkew = this.#gauge(
    'api_clock_skew_seconds',
    "This machine's clock less Mimecast's, by the Date header; positive when ours is ahead.",
    [],
  );

  readonly apiHeldBack = this.#gauge(
    'api_held_back_seconds',
    "How long nothing is asked for yet because Mimecast's quota is used up; 0 when nothing keeps it.",
    [],
  );

  readonly pollLastSuccess = this.#gauge(
    'poll_last_success_timestamp_seconds',
    'When a poll last read all that was asked for, seconds since 1970.',
    ['feed'],
  );
  readonly pollDuration = this.#histogram(
    'poll_duration_seconds',
    'Time that a poll took, all its windows and pages.',
    ['feed'],
    QUICK_SECONDS,
  );
  readonly pollsSkipped = this.#counter(
    'polls_skipped_total',
    'Scheduled polls that did not start because the one before was still at work.',
    ['feed'],
  );
  readonly sweepLastSuccess = this.#gauge(
    'sweep_last_success_timestamp_seconds',
    'When a sweep last read its whole span again, seconds since 1970.',
    ['feed'],
  );
  readonly feedFallingBehind = this.#gauge(
    'feed_falling_behind',
    '1 when the feed is read, but has been no less behind than before for an hour.',
    ['feed'],
  );
  readonly feedQuiet = this.#gauge(
    'feed_quiet_seconds',
    'How much log time was read since the newest event; since where reading began when there was none. It does not grow while reading fails.',
    ['feed'],
  );
  readonly feedLag = this.#gauge('feed_lag_seconds', 'Now less the checkpoint: how far behind reading is.', ['feed']);
  readonly feedLateness = this.#histogram(
    'feed_lateness_seconds',
    "First seen less the record's date: how late Mimecast shows a record.",
    ['feed'],
    LATE_SECONDS,
  );
  readonly feedLastEvent = this.#gauge(
    'feed_last_event_timestamp_seconds',
    'Date of the newest event that was read, seconds since 1970.',
    ['feed'],
  );
  readonly feedGaps = this.#gauge(
    'feed_gaps',
    'Stretches of time between the begin of the feed and its checkpoint that no complete window covers: they were not read. Normally 0.',
    ['feed'],
  );
  readonly feedGapSeconds = this.#gauge('feed_gap_seconds', 'How long these stretches are together.', ['feed']);
  readonly records = this.#counter('records_total', 'Records read, by outcome: new, duplicate, variant, malformed.', [
    'feed',
    'outcome',
  ]);

  readonly outputEvents = this.#counter(
    'output_events_total',
    'Events that an output is done with, by outcome: delivered, rejected, filtered.',
    ['output', 'outcome'],
  );
  readonly outputShortened = this.#counter(
    'output_shortened_total',
    "Events shortened to fit the output's size limit.",
    ['output'],
  );
  readonly outputErrors = this.#counter(
    'output_errors_total',
    'Sends that failed, by reason: connect, tls, auth, rate_limited, refused, server, timeout, unconfirmed, io.',
    ['output', 'reason'],
  );
  readonly outputBacklog = this.#gauge('output_backlog_events', 'Events that wait for the output.', ['output']);
  readonly outputLag = this.#gauge(
    'output_lag_seconds',
    'Age of the oldest event that waits for the output, since it was stored; 0 when none waits.',
    ['output'],
  );
  readonly outputFallingBehind = this.#gauge(
    'output_falling_behind',
    '1 when the output accepts events, but its backlog has been no smaller than before for an hour.',
    ['output'],
  );
  readonly outputUp = this.#gauge('output_up', '1 when the last send was accepted, 0 when it failed.', ['output']);
  readonly outputRejects = this.#gauge('output_rejects', 'Events kept because the output refused them for good.', [
    'output',
  ]);
  readonly outputSendDuration = this.#histogram(
    'output_send_duration_seconds',
    'Time from handing a batch to the output to its acceptance.',
    ['output'],
    QUICK_SECONDS,
  );
  readonly deliveryLatency = this.#histogram(
    'delivery_latency_seconds',
    "Acceptance by the output less the event's date.",
    ['output'],
    LATE_SECONDS,
  );

  readonly certificateNotAfter = this.#gauge(
    'certificate_not_after_timestamp_seconds',
    'When a certificate ends, seconds since 1970, by peer (an output, or mimecast) and certificate: receiver (what the peer showed last), client (our certFile), ca (of the authorities in caFile that have not ended, the first to end).',
    ['peer', 'certificate'],
  );
  readonly certificateNotBefore = this.#gauge(
    'certificate_not_before_timestamp_seconds',
    'Since when the same certificate is good, seconds since 1970.',
    ['peer', 'certificate'],
  );

  readonly storeEvents = this.#gauge('store_events', 'Events in the store.', []);
  readonly storeSize = this.#gauge('store_size_bytes', 'Size of the store on disk, its write-ahead log included.', []);
  readonly storeMaxSize = this.#gauge('store_max_size_bytes', 'What the store may use: store.maxSize.', []);
  readonly storeFreeDisk = this.#gauge('store_free_disk_bytes', 'What is free on the disk of the store.', []);
  readonly storeMinFreeDisk = this.#gauge(
    'store_min_free_disk_bytes',
    'What must stay free there: store.minFreeDisk.',
    [],
  );
  readonly collectingPaused = this.#gauge(
    'collecting_paused',
    '1 while collecting is paused, by reason: store_full, disk_full, disk_unwritable.',
    ['reason'],
  );
  readonly ready = this.#gauge('ready', '1 when /readyz says ready, else 0.', []);
  readonly configInForce = this.#gauge(
    'config_in_force',
    '0 when a reload brought a config that could not be applied, so that the one before is still in force.',
    [],
  );
  readonly configReloadSuccessful = this.#gauge(
    'config_last_reload_successful',
    '1 when the config was last read with success, at the start or at a reload, else 0.',
    [],
  );
  readonly configReloadSuccessTime = this.#gauge(
    'config_last_reload_success_timestamp_seconds',
    'When the config was last read with success, seconds since 1970.',
    [],
  );
  readonly buildInfo = this.#gauge('build_info', 'Always 1; the version and the Node that runs it.', [
    'version',
    'node',
  ]);

  /** Ends every series of a feed or an output that is no more. */
  async forget(label: 'feed' | 'output', name: string): Promise<void> {
    for (const { name: of } of this.registry.getMetricsAsArray()) {
      const metric = this.registry.getSingleMetric(of);
      for (const { labels } of (await metric?.get())?.values ?? []) {
        // Of a histogram there is a value for each bucket.
        const { le: _bucket, ...series } = labels as Readonly<Record<string, string>>;
        if (series[label] === name) metric?.remove(series);
      }
    }
  }

  #counter<L extends string>(name: string, help: string, labelNames: L[]): Counter<L> {
    return new Counter({ name: PREFIX + name, help, labelNames, registers: [this.registry] });
  }

  #gauge<L extends string>(name: string, help: string, labelNames: L[]): Gauge<L> {
    return new Gauge({ name: PREFIX + name, help, labelNames, registers: [this.registry] });
  }

  #histogram<L extends string>(name: string, help: string, labelNames: L[], buckets: number[]): Histogram<L> {
    return new Histogram({ name: PREFIX + name, help, labelNames, buckets, registers: [this.registry] });
  }
}
