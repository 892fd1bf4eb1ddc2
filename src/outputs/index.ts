import { datadog } from './datadog.ts';
import { elasticsearch } from './elasticsearch.ts';
import { file } from './file.ts';
import { googleSecops } from './google-secops.ts';
import { kafka } from './kafka.ts';
import { loki } from './loki.ts';
import { nats } from './nats.ts';
import { otlp } from './otlp.ts';
import type { OutputType } from './output.ts';
import { sentinel } from './sentinel.ts';
import { splunkHec } from './splunk-hec.ts';
import { stdout } from './stdout.ts';
import { sumologic } from './sumologic.ts';
import { syslog } from './syslog.ts';
import { webhook } from './webhook.ts';

/** Every kind of output that can be configured, by its `type`. */
export const outputTypes: Readonly<Record<string, OutputType>> = {
  syslog,
  'splunk-hec': splunkHec,
  elasticsearch,
  sentinel,
  otlp,
  loki,
  datadog,
  sumologic,
  'google-secops': googleSecops,
  kafka,
  nats,
  webhook,
  file,
  stdout,
};
